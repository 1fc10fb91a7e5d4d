import {
  CancelledError,
  InvariantError,
  type RunState,
  type SinkState,
  SluiceError,
} from "../contracts/index.js";
import type { Flow } from "../flow/types.js";
import { assertBalanced } from "./account.js";
import { evaluateAlarms } from "./alarms.js";
import { connectSink, connectSource } from "./connect.js";
import { Lane } from "./deliver.js";
import { Drift, noteUnlike } from "./drift.js";
import { beyondAllowance, exitCodeOf } from "./exit.js";
import { type Backpressure, extract, type ReadState } from "./extract.js";
import { beginRun, endError, runError, settleRun, updateRun } from "./history.js";
import { HeldLease } from "./lease.js";
import { deadLetterQueue, leaseName, queueName, runId } from "./names.js";
import { BodyPool } from "./pack.js";
import { prepareFlow } from "./prepare.js";
import { ProgressMeter } from "./progress.js";
import { startOfRead } from "./read.js";
import { putSchema } from "./schema.js";
import type { Session } from "./session.js";
import { commit } from "./session.js";
import { closeInterrupted, finishRuns, reconcileQueue, settleEarlier } from "./settle.js";
import { checkPlaces, markLate } from "./sinks.js";
import { countOutcome } from "./streak.js";
import type { RunHost, RunOptions, RunResult } from "./types.js";

const BACKPRESSURE_POLL_MS = 20;

/** What fills the queues of a run: the source, or a redrive. True when it came to its end. */
export type Feed = (session: Session, stop: AbortSignal, backpressure: Backpressure) => Promise<boolean>;

/**
 * Runs a flow now, to the end, and returns its account; a failed run is a result, not a throw. Throws only what keeps
 * a run from starting at all: FLOW_RUNNING, a data directory that cannot be written.
 */
export async function runFlow(host: RunHost, flow: Flow, options: RunOptions): Promise<RunResult> {
  return execute(host, flow, options, undefined);
}

/** `feed` undefined: read the flow's source. */
export async function execute(
  host: RunHost,
  flow: Flow,
  options: RunOptions,
  feed: Feed | undefined,
): Promise<RunResult> {
  const abort = new AbortController();
  const onLost = (error: Error) => {
    // A renewal that failed is tried again long before the lease runs out; one that was lost is lost.
    if (error instanceof InvariantError) abort.abort(error);
    else host.log.warn("the lease was not renewed", { flow: flow.name, error: error.message });
  };
  const lease = await HeldLease.acquire(
    host.environment,
    host.clock,
    host.random,
    leaseName(flow.name),
    onLost,
  );
  try {
    const result = await new Run(host, flow, options, lease, abort, feed).execute();
    await lookAtAlarms(host);
    return result;
  } finally {
    await lease.release();
  }
}

/** A run has done its work whether or not its alarms can be written down. */
async function lookAtAlarms({ environment, project, clock, log }: RunHost): Promise<void> {
  try {
    await evaluateAlarms(environment, project, clock.now(), log);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    log.warn("the alarms could not be looked at", { error: error.message });
  }
}

class Run {
  readonly #host: RunHost;
  readonly #flow: Flow;
  readonly #options: RunOptions;
  readonly #lease: HeldLease;
  readonly #signal: AbortSignal;
  /** Ends the run from within: the lease is lost. */
  readonly #abort: AbortSignal;
  readonly #feed: Feed | undefined;
  readonly #id: string;
  readonly #meter: ProgressMeter;
  /** Ends the extraction, not the delivery. */
  readonly #stop = new AbortController();
  readonly #lanes: Lane[] = [];

  constructor(
    host: RunHost,
    flow: Flow,
    options: RunOptions,
    lease: HeldLease,
    abort: AbortController,
    feed: Feed | undefined,
  ) {
    this.#host = host;
    this.#flow = flow;
    this.#options = options;
    this.#lease = lease;
    this.#abort = abort.signal;
    this.#signal = AbortSignal.any([options.signal, abort.signal]);
    this.#feed = feed;
    this.#id = runId(host.clock.now(), () => host.random.next());
    this.#meter = new ProgressMeter(flow.name, this.#id, host.clock, host.onProgress);
  }

  async execute(): Promise<RunResult> {
    const { environment } = this.#host;
    await this.#createQueues();
    await closeInterrupted({ host: this.#host, lease: this.#lease, flow: this.#flow });
    await environment.transaction(({ store }) => {
      beginRun(store, this.#initialState());
      this.#options.began?.(store);
    });
    let failure: unknown;
    try {
      failure = await this.#work();
    } catch (error) {
      failure = error;
    } finally {
      this.#meter.done();
    }
    return this.#end(failure);
  }

  async #createQueues(): Promise<void> {
    const { queues } = this.#host.environment;
    const { buffer } = this.#host.project;
    const attributes = {
      VisibilityTimeout: Math.round(buffer.visibilityTimeoutMs / 1000),
      MessageRetentionPeriod: Math.round(buffer.retentionMs / 1000),
      MaximumMessageSize: MAXIMUM_MESSAGE_SIZE,
    };
    const names = this.#flow.sinks.map(({ connection }, index) =>
      queueName(this.#flow.name, index, connection),
    );
    for (const name of [...names, deadLetterQueue(this.#flow.name)]) {
      if (queues.hasQueue(name)) await queues.setQueueAttributes(name, attributes);
      else await queues.createQueue(name, attributes);
    }
  }

  #initialState(): RunState {
    return {
      flow: this.#flow.name,
      run: this.#id,
      generation: this.#id,
      readComplete: false,
      trigger: this.#options.trigger,
      status: "running",
      startedAt: new Date(this.#host.clock.now()).toISOString(),
      endedAt: null,
      window: { from: null, to: null },
      records: { fetched: 0, filtered: 0, dropped: 0, deadLettered: 0, loaded: 0, queued: 0 },
      rejected: { dropped: 0, deadLettered: 0 },
      repeated: 0,
      bytes: 0,
      pages: 0,
      sinks: this.#flow.sinks.map(({ connection, mode }, index): SinkState => {
        const queue = queueName(this.#flow.name, index, connection);
        return {
          connection,
          target: connection,
          queue,
          mode,
          loads: 0,
          records: 0,
          bytes: 0,
          files: [],
          deadLettered: 0,
          sent: 0,
          dropped: 0,
          opened: 0,
          finished: false,
        };
      }),
      apiCalls: 0,
      error: null,
    };
  }

  /** Resolves to what the run failed with, undefined when all went well. */
  async #work(): Promise<unknown> {
    const source = connectSource(this.#host, this.#flow.source.connection, (wait) =>
      this.#meter.waiting(wait),
    );
    this.#meter.apiCalls = () => source.apiCalls();
    try {
      const session = await this.#open(source);
      const error = await this.#move(session);
      await this.#note(({ store }) => {
        updateRun(store, this.#flow.name, this.#id, (state) => ({ ...state, apiCalls: source.apiCalls() }));
      });
      return error;
    } finally {
      await Promise.all([source.close(), ...this.#lanes.map((lane) => lane.close())]);
    }
  }

  #note<T>(work: Parameters<typeof commit<T>>[1]): Promise<T> {
    return commit({ host: this.#host, lease: this.#lease }, work);
  }

  async #open(source: ReturnType<typeof connectSource>): Promise<Session & { readonly feed: Feed }> {
    const { environment } = this.#host;
    const { log } = this.#host;
    const onUnlike = noteUnlike(log, this.#flow);
    const prepared = await prepareFlow(source, this.#flow, this.#signal, onUnlike);
    const start =
      this.#feed === undefined
        ? startOfRead(environment.store, prepared, this.#id, this.#options)
        : undefined;
    const moves = start !== undefined && start.read.checkpoint === this.#flow.name;
    const drift = moves ? new Drift(environment.store, prepared, log) : undefined;
    // What is redriven belongs to the last read, finished or not: that is where `replace` gathers.
    const last = this.#feed === undefined ? undefined : environment.store.checkpoint(this.#flow.name);
    const generation = start?.generation ?? last?.generation ?? this.#id;
    const before = start === undefined ? last?.run : start.before;
    const session: Session = {
      host: this.#host,
      flow: this.#flow,
      prepared,
      source,
      run: this.#id,
      generation,
      lease: this.#lease,
      meter: this.#meter,
      pool: new BodyPool(
        Math.min(this.#host.project.buffer.messageBytes, MAXIMUM_MESSAGE_SIZE - ATTRIBUTE_BYTES),
      ),
      places: [],
      signal: this.#signal,
      drift,
      extraction: { done: false },
    };
    this.#flow.sinks.forEach((target, index) => {
      const connector = this.#host.project.connections.get(target.connection)?.connector ?? "";
      const kind = this.#host.connectors.sinks.get(connector)?.spec.capabilities.kind ?? "files";
      const lane = new Lane(session, index, target, connectSink(this.#host, target.connection), kind);
      this.#lanes.push(lane);
      session.places.push(lane.place);
    });
    drift?.compare(start?.read.isNew === false);
    checkPlaces(environment.store, this.#flow, session.places, log);
    await this.#note(({ store }) => {
      putSchema(store, prepared.plan.schemaId, false, prepared.schemas.plain);
      putSchema(store, prepared.plan.schemaId, true, prepared.schemas.ordered);
      drift?.begin(store);
      const state = updateRun(store, this.#flow.name, this.#id, (state) => ({
        ...state,
        generation,
        readComplete: last?.complete ?? false,
        sinks: state.sinks.map((sink, index) => ({
          ...sink,
          target: this.#lanes[index]?.writer.target ?? sink.target,
        })),
      }));
      if (before !== undefined) markLate(store, state, before, session.places);
    });
    for (const lane of this.#lanes) await reconcileQueue(session, lane.queue);
    this.#meter.queued = () =>
      Math.max(0, ...this.#lanes.map((lane) => environment.queues.depth(lane.queue).records));
    const feed: Feed =
      this.#feed ??
      ((own, stop, backpressure) => {
        if (start === undefined)
          throw new InvariantError("READ_START", "a run without a feed reads its source");
        const read: ReadState = { ...start.read, stop };
        return extract(own, read, backpressure);
      });
    return { ...session, feed };
  }

  /**
   * A sink that its owner must mend is named before anything is read; one that is merely away is left to its lane,
   * which tries again while records gather in the queue.
   */
  async #prepareLanes(): Promise<void> {
    for (const lane of this.#lanes) {
      try {
        await lane.prepareOnce();
      } catch (error) {
        if (!(error instanceof SluiceError) || (error.kind !== "transient" && error.kind !== "rateLimit"))
          throw error;
      }
    }
  }

  /** Extraction and all lanes at once; then the sinks are told. */
  async #move(session: Session & { readonly feed: Feed }): Promise<unknown> {
    await this.#prepareLanes();
    const lanes = this.#lanes.map((lane) => this.#drive(session, lane));
    let failure: unknown;
    try {
      await session.feed(session, this.#stop.signal, () => this.#backpressure());
    } catch (error) {
      failure = error;
    }
    session.extraction.done = true;
    this.#meter.phase = "delivering";
    await Promise.all(lanes);
    if (!this.#signal.aborted) {
      for (const lane of this.#lanes) await this.#finish(session, lane);
      await settleEarlier(session);
    }
    return failure ?? this.#lanes.find((lane) => lane.failure !== undefined)?.failure;
  }

  /** A lane never rejects: one broken sink keeps neither the source nor the other sinks from working. */
  async #drive(session: Session, lane: Lane): Promise<void> {
    try {
      await lane.prepare();
      await lane.deliver();
    } catch (error) {
      lane.failure = error;
      if (!this.#signal.aborted)
        this.#host.log.warn("sink gave up", { target: lane.writer.target, error: runError(error).message });
      // Whoever must act on a ConfigError or AuthError will not have acted by the next page.
      if (!(error instanceof SluiceError) || error.kind !== "transient") this.#stop.abort();
    }
    session.meter.queued();
  }

  /** A sink that cannot finish keeps no other one from finishing; the next run tells it again. */
  async #finish(session: Session, lane: Lane): Promise<void> {
    if (lane.failure !== undefined) return;
    try {
      await finishRuns(session, lane);
    } catch (error) {
      lane.failure = error;
    }
  }

  /** Waits while a sink queue holds more than the high-water mark; ends the extraction when its lane has given up. */
  async #backpressure(): Promise<void> {
    const { environment, project, clock } = this.#host;
    for (;;) {
      const full = this.#lanes.filter(
        (lane) => environment.queues.depth(lane.queue).bytes > project.buffer.highWaterBytes,
      );
      if (full.length === 0) return;
      if (full.some((lane) => lane.failure !== undefined)) return this.#stop.abort();
      this.#meter.waiting({ reason: `${full[0]?.queue} is full`, ms: BACKPRESSURE_POLL_MS });
      await clock.sleep(BACKPRESSURE_POLL_MS, this.#signal);
    }
  }

  async #end(failure: unknown): Promise<RunResult> {
    const { environment, clock } = this.#host;
    const cancelled = this.#options.signal.aborted;
    let error: unknown = cancelled
      ? new CancelledError("CANCELLED", "cancelled; the next run goes on from the last checkpoint", {
          place: this.#flow.name,
        })
      : this.#abort.aborted
        ? this.#abort.reason
        : failure;
    const status = cancelled ? "cancelled" : "failed";
    const state = await this.#note(({ store }) => {
      const ended = updateRun(store, this.#flow.name, this.#id, (current) => {
        if (error === undefined) error = beyondAllowance(current, this.#flow.errors);
        return {
          ...current,
          status: error === undefined ? "succeeded" : status,
          endedAt: new Date(clock.now()).toISOString(),
          error: error === undefined ? null : endError(error, clock.now()),
        };
      });
      countOutcome(store, ended);
      return ended;
    });
    const settled = await settleRun(environment, state);
    assertBalanced(settled);
    const earlier = { runs: 0, records: 0 };
    for (const lane of this.#lanes) {
      earlier.runs = Math.max(earlier.runs, lane.earlier.runs.size);
      earlier.records += lane.earlier.records;
    }
    return { state: settled, earlier, exitCode: error === undefined ? 0 : exitCodeOf(error) };
  }
}

/** SQS's largest; what a message may hold is settled when it is packed. */
const MAXIMUM_MESSAGE_SIZE = 1_048_576;
/** Room beside the body: the attributes of a dead letter with a long reason. */
const ATTRIBUTE_BYTES = 16_384;
