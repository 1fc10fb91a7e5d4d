import { CancelledError, type Clock, type MoveTask, type Random } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import type { Effects } from "./effects.js";
import type { Transact } from "./housekeeping.js";
import { laneEnd, laneStart, nameKey } from "./keys.js";
import { laneOf } from "./lanes.js";
import { refusals } from "./refusals.js";
import { isFifo, type MoveTaskRow, type QueueHost, type QueueRow } from "./rows.js";
import type { Sending } from "./sending.js";
import { dropMessage, settle } from "./settle.js";
import { depthOf } from "./views.js";

/** Messages moved in one transaction. */
const PIECE = 100;
/** With a rate, the time a piece stands for: small enough to be even, large enough not to be a commit a message. */
const PIECE_MS = 100;
const MOST_PER_SECOND = 500;
const MOST_LISTED = 10;
const MOST_TASKS = 1_000;
const ALL = { from: Buffer.from([0]), to: Buffer.from([0xff]), limit: MOST_TASKS };
const NON_EXISTENT_QUEUE = "AWS.SimpleQueueService.NonExistentQueue";

/**
 * Dead-letter redrives in SQS's words: message move tasks. A task is a row, and moving is done in pieces, each a
 * transaction that moves messages and counts them, by whichever process has the data directory open.
 *
 *   RUNNING --(nothing left that was there at its start)--> COMPLETED
 *   RUNNING --(a destination is gone)--> FAILED
 *   RUNNING --cancel()--> CANCELLED
 */
export class MoveTasks {
  readonly #host: QueueHost;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly #sending: Sending;
  readonly #transact: Transact;
  #work: Promise<void> = Promise.resolve();
  #working = false;
  #again = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #stop = new AbortController();

  constructor(
    host: QueueHost,
    clock: Clock,
    parts: { readonly catalog: Catalog; readonly bodies: Bodies; readonly sending: Sending },
    transact: Transact,
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#random = host.random;
    this.#catalog = parts.catalog;
    this.#bodies = parts.bodies;
    this.#sending = parts.sending;
    this.#transact = transact;
  }

  /** Inside a transaction. Returns the task's id. */
  start(source: string, destination: string | undefined, maxPerSecond: number | undefined): string {
    const row = this.#catalog.find(source);
    if (!row) throw refusals.resourceNotFound(notThere("SourceArn"));
    if (destination !== undefined) {
      const target = this.#catalog.find(destination);
      if (!target) throw refusals.resourceNotFound(notThere("DestinationArn"));
      if (destination === source || isFifo(target) !== isFifo(row))
        throw refusals.moveTask(
          "Source queue arn and destination queue arn must be different queues of one type.",
        );
    }
    if (
      maxPerSecond !== undefined &&
      !(Number.isInteger(maxPerSecond) && maxPerSecond >= 1 && maxPerSecond <= MOST_PER_SECOND)
    )
      throw refusals.parameter(
        source,
        "MaxNumberOfMessagesPerSecond",
        maxPerSecond,
        `Must be between 1 and ${MOST_PER_SECOND}, if provided.`,
      );
    if (this.#catalog.sourcesOf(source).length === 0)
      throw refusals.moveTask("Source queue must be configured as a Dead Letter Queue.");
    if (this.#rows().some((task) => task.source === source && task.status === "RUNNING"))
      throw refusals.moveTask(
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
      );
    const now = this.#host.now();
    const { depth } = depthOf(laneOf(this.#host, row), row, now);
    const taskId = this.#random.uuid();
    this.#put({
      taskId,
      source,
      ...(destination !== undefined && { destination }),
      ...(maxPerSecond !== undefined && { maxPerSecond }),
      status: "RUNNING",
      startedAt: now,
      moved: 0,
      toMove: depth.ApproximateNumberOfMessages,
      upTo: this.#catalog.nextSequence(),
      nextAt: now,
    });
    this.#forgetOld();
    return taskId;
  }

  /** Inside a transaction. */
  cancel(taskId: string): number {
    const task = this.#host.tables.moveTasks.get(nameKey(taskId));
    if (task?.status !== "RUNNING") throw refusals.resourceNotFound("Task does not exist.");
    this.#put({ ...task, status: "CANCELLED" });
    return task.moved;
  }

  list(source: string, limit: number): MoveTask[] {
    if (!this.#catalog.find(source)) throw refusals.resourceNotFound(notThere("SourceArn"));
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST_LISTED))
      throw refusals.parameter(
        source,
        "MaxResults",
        limit,
        `Must be between 1 and ${MOST_LISTED}, if provided.`,
      );
    return this.#rows()
      .filter((task) => task.source === source)
      .sort((a, b) => b.startedAt - a.startedAt || b.upTo - a.upTo)
      .slice(0, limit)
      .map(({ upTo: _upTo, nextAt: _nextAt, destination, maxPerSecond, ...task }) => ({
        ...task,
        destination,
        maxPerSecond,
      }));
  }

  /** Goes on with whatever is running; returns at once. */
  wake(): void {
    this.#again = true;
    if (this.#working || this.#stop.signal.aborted) return;
    this.#working = true;
    this.#work = this.#rounds();
  }

  /** Resolves when nothing is running; throws what stopped it, if anything did. */
  async idle(): Promise<void> {
    await this.#work;
    if (this.#failure) throw this.#failure.error;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #rounds(): Promise<void> {
    const { signal } = this.#stop;
    this.#failure = undefined;
    try {
      while (this.#again && !signal.aborted) {
        this.#again = false;
        for (;;) {
          const running = this.#host.snapshot(() =>
            this.#rows().filter(({ status }) => status === "RUNNING"),
          );
          if (running.length === 0 || signal.aborted) break;
          const now = this.#host.now();
          const due = running.filter(({ nextAt }) => nextAt <= now);
          for (const { taskId } of due) await this.#transact((effects) => this.#piece(taskId, effects));
          if (due.length > 0) continue;
          await this.#clock.sleep(
            Math.max(1, Math.min(...running.map(({ nextAt }) => nextAt)) - now),
            signal,
          );
        }
      }
    } catch (error) {
      // Closing ends the wait. Anything else (a full disk) is met in the foreground too: the task stays RUNNING, its
      // messages are where they were, and the next wake-up goes on.
      if (!(error instanceof CancelledError)) this.#failure = { error };
    } finally {
      this.#working = false;
    }
  }

  /** Moves some messages and counts them. */
  #piece(taskId: string, effects: Effects): void {
    const task = this.#host.tables.moveTasks.get(nameKey(taskId));
    const now = this.#host.now();
    if (task?.status !== "RUNNING" || task.nextAt > now) return; // another process was faster
    const row = this.#catalog.find(task.source);
    if (!row) {
      this.#put({ ...task, status: "FAILED", failureReason: NON_EXISTENT_QUEUE });
      return;
    }
    const rate = task.maxPerSecond;
    const most =
      rate === undefined ? PIECE : Math.max(1, Math.min(PIECE, Math.floor((rate * PIECE_MS) / 1000)));
    const { moved, failed, more } = this.#move(task, row, most, now, effects);
    this.#put({
      ...task,
      moved: task.moved + moved,
      nextAt: rate === undefined ? now : now + (moved * 1000) / rate,
      ...(failed && { failureReason: NON_EXISTENT_QUEUE }),
      status: failed ? "FAILED" : more ? "RUNNING" : "COMPLETED",
    });
  }

  #move(task: MoveTaskRow, row: QueueRow, most: number, now: number, effects: Effects) {
    const lane = laneOf(this.#host, row);
    settle(lane, row, now, this.#bodies, effects);
    lane.save();
    let moved = 0;
    let failed = false;
    let more = false;
    scan: for (const pack of lane.everyPack(laneStart(lane.id), laneEnd(lane.id)))
      for (let index = 0; index < pack.count; index++) {
        if (pack.state(index) !== "ready" || pack.place.sequence + index > task.upTo) continue;
        if (moved === most) {
          more = true;
          break scan;
        }
        const found = { pack, index };
        const destination = task.destination ?? lane.content(found).deadLetterSource;
        if (destination === undefined || !this.#catalog.find(destination)) {
          failed = true;
          break scan;
        }
        this.#sending.resend(destination, lane, found, effects);
        dropMessage(lane, found, this.#bodies, effects);
        moved += 1;
      }
    lane.save();
    return { moved, failed, more };
  }

  /** Tasks that are over are kept for a look back, not for ever. */
  #forgetOld(): void {
    const over = this.#rows()
      .filter(({ status }) => status !== "RUNNING")
      .sort((a, b) => b.startedAt - a.startedAt);
    for (const { taskId } of over.slice(MOST_TASKS / 10)) this.#host.tables.moveTasks.remove(nameKey(taskId));
  }

  #rows(): MoveTaskRow[] {
    return this.#host.tables.moveTasks.entries(ALL).map(({ value }) => value);
  }

  #put(task: MoveTaskRow): void {
    this.#host.tables.moveTasks.put(nameKey(task.taskId), task);
  }
}

function notThere(parameter: string): string {
  return `The resource that you specified for the ${parameter} parameter doesn't exist.`;
}
