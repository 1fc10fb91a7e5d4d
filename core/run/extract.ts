import {
  InvariantError,
  type Page,
  type RunState,
  type SourceRecord,
  throwIfCancelled,
  type Value,
} from "../contracts/index.js";
import { KeptAnswers } from "../store/index.js";
import { updateRun, updateSink } from "./history.js";
import { LEASE_LOST } from "./lease.js";
import { deadLetterQueue, queueName } from "./names.js";
import { keyOf } from "./order.js";
import { PageMapper, type PageWork } from "./page.js";
import { readRequest } from "./prepare.js";
import { putSequence } from "./read.js";
import { isRecognisable } from "./refused-record.js";
import { commit, type Session } from "./session.js";

/*
 * From the source into the queues. A page goes through filter, map and validate, is packed into messages, and then one
 * transaction makes everything true at once: messages of every sink queue, dead letters, the checkpoint, what must be
 * remembered of the overlap, the counts. Only then is the next page asked for. Sources fetch ahead of that; what they keep on
 * disk until its turn (`ahead`) is there after a kill. A run that failed keeps nothing: it may have failed over a record
 * that is mended by the next time.
 */

/** How the read of this run stands towards its checkpoint. */
export interface ReadState {
  /** Key of the checkpoint: the flow, or the flow and a backfill window. */
  readonly checkpoint: string;
  cursor: Value | undefined;
  /** The cursor is of a read that was not brought to its end. */
  readonly resumes: boolean;
  /** Nothing of this read is stored yet: what an earlier read remembers of its records does not concern it. */
  isNew: boolean;
  nextSequence: number;
  /** Epoch ms, of a backfill. */
  readonly from?: number;
  readonly to?: number;
  /** Ends the read without failing it: a sink that cannot work, a queue that stays full. */
  readonly stop: AbortSignal;
}

/** Resolves when every sink queue has room again. */
export type Backpressure = () => Promise<void>;

/** Reads the stream. Resolves true when its end was reached, false when `stop` ended it. */
export async function extract(
  session: Session,
  read: ReadState,
  backpressure: Backpressure,
): Promise<boolean> {
  const { source, prepared, signal, host } = session;
  const ended = AbortSignal.any([signal, read.stop]);
  const ahead = new KeptAnswers(host.project.dataDir, read.checkpoint, host);
  if (!read.resumes) ahead.clear();
  const request = readRequest(prepared, {
    cursor: read.cursor,
    resumes: read.resumes,
    ...(read.from === undefined ? {} : { from: read.from }),
    ...(read.to === undefined ? {} : { to: read.to }),
    ahead,
    signal: ended,
  });
  let rememberFrom: string | undefined;
  let isOfUse = false;
  try {
    for await (const page of source.read(request)) {
      session.meter.phase = "reading";
      await backpressure();
      throwIfCancelled(ended);
      const repeats = await findRepeats(session, read, page);
      const work = await new PageMapper(session, page, read.nextSequence).map(repeats);
      read.nextSequence = work.nextSequence;
      rememberFrom = page.rememberFrom ?? rememberFrom;
      session.drift?.look(page);
      await commitPage(session, read, work);
      release(page);
    }
    // A source may also answer to the signal by ending early: that is not the end of the stream.
    throwIfCancelled(ended);
  } catch (error) {
    // What a cancelled read has kept the next one uses, and who has taken the lease over uses it now.
    isOfUse = signal.aborted || (error instanceof InvariantError && error.code === LEASE_LOST);
    if (read.stop.aborted && !signal.aborted) return false;
    throw error;
  } finally {
    ahead.close();
    if (!isOfUse) ahead.clear();
  }
  await completeRead(session, read, rememberFrom);
  return true;
}

/**
 * Generators that hand a page on to each other each keep the last one in a register until the next comes: with five of them
 * four pages that nobody needs any more.
 */
function release({ records }: Page): void {
  if (Array.isArray(records)) records.length = 0;
}

/** Sorts behind every cursor value. */
const EVERY_VERSION = "\uffff";
const NONE: ReadonlySet<number> = new Set();

/** Positions of the records that an earlier window has stored already, with the same cursor value. */
async function findRepeats(session: Session, read: ReadState, page: Page): Promise<ReadonlySet<number>> {
  const { cursorField, stream } = session.prepared;
  const below = page.repeatsBelow;
  if (below === undefined || cursorField === undefined || read.isNew) return NONE;
  const candidates = page.records.flatMap((record: SourceRecord, position) => {
    const version = record[cursorField];
    const key = keyOf(record, stream.primaryKey);
    return typeof version === "string" &&
      version < below &&
      key !== undefined &&
      isRecognisable(record, page, session.prepared)
      ? [{ position, key, version }]
      : [];
  });
  if (candidates.length === 0) return NONE;
  return commit(session, (tx) => {
    const known = candidates.filter(({ key, version }) => tx.store.seen(read.checkpoint, key) === version);
    return new Set(known.map(({ position }) => position));
  });
}

async function commitPage(session: Session, read: ReadState, work: PageWork): Promise<void> {
  const { flow, run, generation, prepared, host, meter, pool } = session;
  const { page, tally } = work;
  const apiCalls = session.source.apiCalls();
  await commit(session, ({ queues, store }) => {
    flow.sinks.forEach((sink, index) => {
      const entries = work.entries[index] ?? [];
      if (entries.length > 0) queues.send(queueName(flow.name, index, sink.connection), entries);
    });
    if (work.deadLetters.length > 0) queues.send(deadLetterQueue(flow.name), work.deadLetters);
    if (read.isNew) store.forgetBelow(read.checkpoint, EVERY_VERSION);
    for (const { key, version } of work.remembered) store.remember(read.checkpoint, key, version);
    putSequence(store, flow.name, work.nextSequence);
    store.putCheckpoint({
      flow: read.checkpoint,
      stream: prepared.feed,
      cursor: page.cursor,
      nextSequence: work.nextSequence,
      updatedAt: new Date(host.clock.now()).toISOString(),
      run,
      generation,
      complete: false,
    });
    updateRun(store, flow.name, run, (state) => {
      let next: RunState = {
        ...state,
        window: {
          from: state.window.from ?? page.window?.from ?? null,
          to: page.window?.to ?? state.window.to,
        },
        records: {
          ...state.records,
          fetched: state.records.fetched + tally.fetched,
          filtered: state.records.filtered + tally.filtered,
        },
        rejected: {
          dropped: state.rejected.dropped + tally.dropped,
          deadLettered: state.rejected.deadLettered + tally.deadLettered,
        },
        repeated: state.repeated + tally.repeated,
        bytes: state.bytes + tally.bytes,
        pages: state.pages + 1,
        apiCalls,
      };
      for (const [index, { connection }] of flow.sinks.entries()) {
        const queue = queueName(flow.name, index, connection);
        next = updateSink(next, queue, (sink) => ({ ...sink, sent: sink.sent + work.mapped }));
      }
      return next;
    });
  });
  read.cursor = page.cursor;
  read.isNew = false;
  pool.give(work.buffers);
  meter.fetched += tally.fetched;
  meter.bytes += tally.bytes;
}

/** The read came to its end: the next run begins a new one behind this cursor. */
async function completeRead(
  session: Session,
  read: ReadState,
  rememberFrom: string | undefined,
): Promise<void> {
  const { flow, run, generation, prepared, host } = session;
  const isBackfill = read.checkpoint !== flow.name;
  await commit(session, ({ store }) => {
    if (isBackfill) store.deleteCheckpoint(read.checkpoint);
    else {
      store.putCheckpoint({
        flow: read.checkpoint,
        stream: prepared.feed,
        // Also where nothing was found: an older, unfinished read must not be resumed behind this one.
        cursor: read.cursor ?? null,
        nextSequence: read.nextSequence,
        updatedAt: new Date(host.clock.now()).toISOString(),
        run,
        generation,
        complete: true,
      });
    }
    if (isBackfill) store.forgetBelow(read.checkpoint, EVERY_VERSION);
    else if (rememberFrom !== undefined) store.forgetBelow(read.checkpoint, rememberFrom);
    session.drift?.finish(store);
    updateRun(store, flow.name, run, (state) => ({ ...state, readComplete: true }));
  });
}
