import {
  InvariantError,
  invariant,
  type Load,
  type LoadReceipt,
  type LoadState,
  type Message,
  RecordError,
  type Schema,
  type Sink,
  type SinkWriter,
  textAttributes,
  throwIfCancelled,
} from "../contracts/index.js";
import type { FlowSink } from "../flow/types.js";
import { Gathered } from "./gathered.js";
import { putReceipt, updateRun, updateSink } from "./history.js";
import { groupOf, loadOf } from "./load.js";
import { loadId, queueName } from "./names.js";
import { isOrdered } from "./page.js";
import { withRetry } from "./retry.js";
import { storedSchema } from "./schema.js";
import { commit, type Session } from "./session.js";
import type { Place } from "./sinks.js";
import { splitLoad } from "./split.js";

/*
 * From one queue into one sink. A lane moves like this:
 *
 *   preparing -> resuming -> gathering <-> writing -> drained
 *
 * preparing   the sink creates or evolves its target; again for loads of an earlier read or with other columns
 * resuming    loads that a killed run left open are written again, with the same messages and the same id; messages
 *             that run had taken in flight are put back
 * gathering   messages are received until they make a load: by size, by age, at the end of the run
 * writing     the load is recorded, written by the sink, and closed in one transaction with its messages' deletion
 * drained     the run sends nothing more and the queue is empty
 *
 * A lane that fails leaves its messages in the queue and its load open; the next run begins at resuming.
 */

/** A load is closed at this age though it is not full, so that a slow source still lands its records. */
const LOAD_AGE_MS = { files: 5 * 60_000, table: 60_000 };
const POLL_MS = 100;
const BATCH = 10;
/** Messages of one load at most: its record in the store lists them. */
const LOAD_MESSAGES = 10_000;

export class Lane {
  readonly index: number;
  readonly target: FlowSink;
  readonly writer: SinkWriter;
  readonly queue: string;
  readonly place: Place;
  /** Why the lane ended early; its records stay queued. */
  failure: unknown;
  /** Records of earlier runs delivered by this one. */
  readonly earlier = { runs: new Set<string>(), records: 0 };
  readonly #session: Session;
  readonly #sink: Sink;
  readonly #loadAgeMs: number;
  /** What the target was prepared for: generation and columns. */
  readonly #prepared = new Set<string>();

  constructor(session: Session, index: number, target: FlowSink, sink: Sink, kind: "files" | "table") {
    this.#session = session;
    this.index = index;
    this.target = target;
    this.#sink = sink;
    this.writer = sink.open(target.target, session.flow.name);
    this.queue = queueName(session.flow.name, index, target.connection);
    this.place = {
      queue: this.queue,
      connection: target.connection,
      target: this.writer.target,
      replaces: target.mode === "replace",
    };
    this.#loadAgeMs = LOAD_AGE_MS[kind];
  }

  get schema(): Schema {
    const { schemas } = this.#session.prepared;
    return isOrdered(this.target) ? schemas.ordered : schemas.plain;
  }

  /** Creates or evolves the target; at once or not at all. */
  prepareOnce(): Promise<void> {
    const { run, generation } = this.#session;
    return this.#prepareFor({ run, generation, schema: this.schema });
  }

  /** A load of an earlier run: its generation, its columns may never have been prepared, the sink being away then. */
  async #prepareFor({
    run,
    generation,
    schema,
  }: Pick<LoadState, "run" | "generation" | "schema">): Promise<void> {
    const key = `${this.place.replaces ? generation : ""} ${JSON.stringify(schema)}`;
    if (this.#prepared.has(key)) return;
    const { flow, signal } = this.#session;
    await this.writer.prepare({ flow: flow.name, run, generation, schema, signal });
    this.#prepared.add(key);
  }

  /** The same with retries. */
  prepare(): Promise<void> {
    return this.#retry(() => this.prepareOnce());
  }

  /** Delivers until the run sends nothing more and the queue is empty. Throws what ended it early. */
  async deliver(): Promise<void> {
    await this.#resume();
    await this.#putBack();
    const { signal, extraction, host } = this.#session;
    const gathered = new Gathered();
    // Reading pauses above the high-water mark: waiting for more would be waiting for nothing.
    const fullBytes = Math.min(this.writer.loadBytes, host.project.buffer.highWaterBytes);
    const isFull = () => gathered.bytes >= fullBytes || gathered.size >= LOAD_MESSAGES;
    const stopHeartbeat = this.#heartbeat(() => gathered.messages);
    try {
      for (;;) {
        throwIfCancelled(signal);
        // Read before receiving: once the run sends nothing more, an empty answer is the end.
        const ending = extraction.done;
        // A process that slept through its lease must not hide messages from the one that goes on in its place.
        this.#session.lease.assertHeld();
        const batch = await host.environment.queues.receive(this.queue, {
          maxNumberOfMessages: BATCH,
          visibilityTimeoutMs: host.project.buffer.visibilityTimeoutMs,
          waitTimeMs: ending ? 0 : POLL_MS,
          signal,
        });
        for (const message of batch) {
          const { first } = gathered;
          if (first !== undefined && (isFull() || groupOf(first) !== groupOf(message))) {
            await this.#write(gathered.messages);
            gathered.take();
          }
          gathered.add(message, host.clock.monotonicMs());
        }
        const drained = batch.length === 0 && ending;
        const aged = host.clock.monotonicMs() - gathered.since >= this.#loadAgeMs;
        if (gathered.size > 0 && (isFull() || drained || aged)) {
          await this.#write(gathered.messages);
          gathered.take();
        }
        if (drained) return;
      }
    } finally {
      stopHeartbeat();
    }
  }

  /** Keeps gathered messages hidden for as long as they wait here. */
  #heartbeat(messages: () => readonly Message[]): () => void {
    const { host } = this.#session;
    const visibilityTimeoutMs = host.project.buffer.visibilityTimeoutMs;
    return host.clock.every(visibilityTimeoutMs / 3, () => {
      const held = messages();
      for (let i = 0; i < held.length; i += BATCH) {
        host.environment.queues
          .changeVisibility(
            this.queue,
            held.slice(i, i + BATCH).map(({ receiptHandle }) => ({ receiptHandle, visibilityTimeoutMs })),
          )
          // A message that shows up again is received again, and Gathered knows it.
          .catch((error: unknown) =>
            host.log.warn("heartbeat failed", { queue: this.queue, error: String(error) }),
          );
      }
    });
  }

  /** Loads that an earlier run opened and did not close. */
  async #resume(): Promise<void> {
    const { host, flow } = this.#session;
    const open = host.environment.store.openLoads(flow.name).filter((load) => load.queue === this.queue);
    for (const state of open) {
      const messages = await host.environment.queues.claim(
        this.queue,
        state.messageIds,
        host.project.buffer.visibilityTimeoutMs,
      );
      if (messages.length === 0) {
        await this.#giveUp(state);
        continue;
      }
      if (messages.length !== state.messageIds.length) {
        throw new InvariantError(
          "LOAD_INCOMPLETE",
          `load ${state.id} was recorded with ${state.messageIds.length} messages, ${messages.length} are left in ${this.queue}`,
          {
            place: this.writer.target,
            fix: `What is left of it expires too; or give the queue up: sluice queue purge ${this.queue}`,
          },
        );
      }
      const byId = new Map(messages.map((message) => [message.messageId, message]));
      await this.#apply(
        state,
        state.messageIds.flatMap((id) => byId.get(id) ?? []),
        true,
      );
    }
  }

  /**
   * None of an open load's messages is left: retention or a purge took them, and reconcileQueue has counted them as
   * dropped. Whether the sink has them, nobody can tell any more.
   */
  async #giveUp(state: LoadState): Promise<void> {
    this.#session.host.log.warn("an open load is given up: its messages are gone", {
      load: state.id,
      records: state.records,
      target: this.writer.target,
    });
    await commit(this.#session, ({ store }) => store.deleteLoad(state.flow, state.id));
  }

  /** The lease is ours, so whoever had taken messages in flight is gone: they are visible again at once. */
  async #putBack(): Promise<void> {
    const { queues } = this.#session.host.environment;
    this.#session.lease.assertHeld();
    if (queues.depth(this.queue).ApproximateNumberOfMessagesNotVisible === 0) return;
    let after: string | undefined;
    for (;;) {
      const page = queues.peek(this.queue, { limit: 100, ...(after === undefined ? {} : { after }) });
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.messageId;
      const inFlight = page.filter(({ state }) => state === "inFlight").map(({ messageId }) => messageId);
      if (inFlight.length > 0) await queues.claim(this.queue, inFlight, 0);
    }
  }

  /** Records the load, then writes it. */
  async #write(messages: readonly Message[]): Promise<void> {
    const [first] = messages;
    invariant(first !== undefined, "LOAD_EMPTY", "a load needs a message");
    const { flow, host } = this.#session;
    const attributes = textAttributes(first.attributes);
    const { run = this.#session.run, generation = this.#session.generation, schema = "" } = attributes;
    const state = await commit(this.#session, ({ store }) => {
      const updated = updateRun(store, flow.name, run, (current) =>
        updateSink(current, this.queue, (sink) => ({ ...sink, opened: sink.opened + 1 })),
      );
      const opened = updated.sinks.find((sink) => sink.queue === this.queue)?.opened;
      invariant(
        opened !== undefined,
        "MESSAGE_FOREIGN",
        `a message in ${this.queue} names run ${run}, which sent nothing there`,
      );
      const load: LoadState = {
        id: loadId(flow.name, run, this.index, opened - 1),
        flow: flow.name,
        run,
        generation,
        queue: this.queue,
        connection: this.target.connection,
        messageIds: messages.map(({ messageId }) => messageId),
        records: messages.reduce((sum, message) => sum + message.records, 0),
        bytes: messages.reduce((sum, message) => sum + message.bytes, 0),
        schema: this.#schemaOf(schema),
        openedAt: new Date(host.clock.now()).toISOString(),
      };
      store.putLoad(load);
      return load;
    });
    await this.#apply(state, messages);
  }

  /** Messages of an earlier run may have other columns than the flow has today. */
  #schemaOf(schemaId: string): Schema {
    const { prepared, host } = this.#session;
    if (schemaId === prepared.plan.schemaId) return this.schema;
    const stored = storedSchema(host.environment.store, schemaId, isOrdered(this.target));
    if (stored !== undefined) return stored;
    throw new InvariantError("SCHEMA_MISSING", `the columns of schema ${schemaId} are not in the store`, {
      place: this.queue,
    });
  }

  /** Writes an open load and closes it: messages deleted, load closed and counted in one transaction. */
  async #apply(state: LoadState, messages: readonly Message[], resumed = false): Promise<void> {
    const load = loadOf(state, messages, resumed);
    let receipt: LoadReceipt;
    try {
      receipt = await this.#retry(async () => {
        await this.#prepareFor(state);
        return this.writer.write(load, this.#session.signal);
      });
    } catch (error) {
      // A message that expired under the sink's hands is no refusal of its records.
      if (!(error instanceof RecordError) || error.code === "MESSAGE_GONE") throw error;
      const children = await splitLoad(this.#session, this, state, messages, error);
      for (const child of children) await this.#apply(child.state, child.messages);
      return;
    }
    this.#assertWhole(load, receipt);
    await this.#close(state, receipt);
  }

  #assertWhole(load: Load, receipt: LoadReceipt): void {
    invariant(
      receipt.records === load.records,
      "SINK_SHORT_WRITE",
      `${this.writer.target} counts ${receipt.records} rows of load ${load.id}, which holds ${load.records}`,
    );
  }

  async #close(state: LoadState, receipt: LoadReceipt): Promise<void> {
    const { flow, meter, run } = this.#session;
    await commit(this.#session, ({ queues, store }) => {
      queues.deleteById(this.queue, state.messageIds);
      store.deleteLoad(flow.name, state.id);
      updateRun(store, flow.name, state.run, (current) =>
        updateSink(current, this.queue, (sink) => {
          putReceipt(store, state.run, sink, { load: state.id, files: receipt.files });
          return {
            ...sink,
            target: this.writer.target,
            loads: sink.loads + 1,
            records: sink.records + state.records,
            bytes: sink.bytes + receipt.bytes,
          };
        }),
      );
    });
    meter.loaded += state.records;
    if (state.run !== run) {
      this.earlier.runs.add(state.run);
      this.earlier.records += state.records;
    }
  }

  async #retry<T>(call: () => Promise<T>): Promise<T> {
    const { host, signal, meter } = this.#session;
    return withRetry(
      host.clock,
      host.random,
      signal,
      (wait) => {
        meter.waiting({ ...wait, reason: `${this.writer.target}: ${wait.reason}` });
        host.log.warn("sink call will be tried again", {
          target: this.writer.target,
          reason: wait.reason,
          ms: wait.ms,
        });
      },
      call,
    );
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.#sink.close();
  }
}
