import { z } from "zod";
import {
  type Clock,
  type Environment,
  type Page,
  type Queues,
  type ReadRequest,
  type SourceRecord,
  throwIfCancelled,
} from "../../../core/contracts/index.js";
import { page } from "./connectors.js";

/** What a dead process's calls come to. */
export class Killed extends Error {}

/** Time that passes only when somebody waits: a poll or a backoff costs one turn of the event loop. */
export class TurnClock implements Clock {
  #ms = 0;

  now(): number {
    return Date.UTC(2026, 0, 1) + Math.floor(this.#ms);
  }

  monotonicMs(): number {
    return this.#ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    throwIfCancelled(signal);
    await new Promise((resolve) => setImmediate(resolve));
    throwIfCancelled(signal);
    this.#ms += ms;
  }

  /** Nothing repeats: as in a process that is stopped between its heartbeats. */
  every(): () => void {
    return () => undefined;
  }

  pass(ms: number): void {
    this.#ms += ms;
  }
}

/**
 * A life of a process: after so many durable steps every further call fails, and nothing it does reaches the
 * environment any more. `answered` tells whether the process still learns of its last step.
 */
export class Life {
  steps = 0;
  readonly #last: number;
  readonly #answered: boolean;

  constructor(last: number, answered: boolean) {
    this.#last = last;
    this.#answered = answered;
  }

  get over(): boolean {
    return this.steps > this.#last || (!this.#answered && this.steps === this.#last);
  }

  /** For what is outside of the environment: throws once the process is dead. */
  check(): void {
    if (this.over) throw new Killed("dead");
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    this.steps++;
    if (this.steps > this.#last) throw new Killed("killed before its step");
    const result = await work();
    this.check();
    return result;
  }

  /** The environment as this life sees it. */
  of(environment: Environment): Environment {
    const { queues } = environment;
    const mortal: Queues = {
      createQueue: (...all) => this.step(() => queues.createQueue(...all)),
      setQueueAttributes: (...all) => this.step(() => queues.setQueueAttributes(...all)),
      getQueueAttributes: (name) => queues.getQueueAttributes(name),
      listQueues: (prefix) => queues.listQueues(prefix),
      hasQueue: (name) => queues.hasQueue(name),
      deleteQueue: (name) => this.step(() => queues.deleteQueue(name)),
      purgeQueue: (...all) => this.step(() => queues.purgeQueue(...all)),
      depth: (name) => queues.depth(name),
      queueInfo: (name) => queues.queueInfo(name),
      tagQueue: (...all) => this.step(() => queues.tagQueue(...all)),
      untagQueue: (...all) => this.step(() => queues.untagQueue(...all)),
      listQueueTags: (name) => queues.listQueueTags(name),
      listDeadLetterSourceQueues: (name) => queues.listDeadLetterSourceQueues(name),
      startMessageMoveTask: (request) => this.step(() => queues.startMessageMoveTask(request)),
      listMessageMoveTasks: (...all) => queues.listMessageMoveTasks(...all),
      cancelMessageMoveTask: (taskId) => this.step(() => queues.cancelMessageMoveTask(taskId)),
      stage: (body) => this.step(() => queues.stage(body)),
      discard: (staged) => this.step(() => queues.discard(staged)),
      send: (...all) => this.step(() => queues.send(...all)),
      sendEach: (...all) => this.step(() => queues.sendEach(...all)),
      receive: async (...all) => {
        this.check();
        const messages = await queues.receive(...all);
        if (messages.length === 0) this.check();
        else await this.step(() => Promise.resolve());
        return messages;
      },
      delete: (...all) => this.step(() => queues.delete(...all)),
      changeVisibility: (...all) => this.step(() => queues.changeVisibility(...all)),
      claim: (...all) => this.step(() => queues.claim(...all)),
      peek: (...all) => queues.peek(...all),
      get: (...all) => queues.get(...all),
      openBody: (...all) => queues.openBody(...all),
    };
    return {
      queues: mortal,
      store: environment.store,
      transaction: (work) => this.step(() => environment.transaction(work)),
      close: () => Promise.resolve(),
    };
  }
}

/** Reads a list in pages, behind the cursor `{ at, done }`, as a source with a cursor of its own does. */
export function readerOf(records: () => readonly SourceRecord[], size: number, check = () => {}) {
  return async function* (request: ReadRequest): AsyncGenerator<Page> {
    const all = records();
    let at = positionOf(request);
    do {
      check();
      throwIfCancelled(request.signal);
      const part = all.slice(at, at + size);
      at += part.length;
      yield page([...part], { at, done: at >= all.length });
    } while (at < all.length);
  };
}

const CURSOR = z.strictObject({ at: z.number(), done: z.boolean() });

function positionOf({ cursor, mode, resumes }: ReadRequest): number {
  if (cursor === undefined) return 0;
  const { at, done } = CURSOR.parse(cursor);
  // A full read that was finished is followed by a whole one.
  return mode === "full" && done && resumes !== true ? 0 : at;
}
