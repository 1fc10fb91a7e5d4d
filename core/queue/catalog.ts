import type { QueueAttributes } from "../contracts/index.js";
import { laneKey, nameKey } from "./keys.js";
import { checkAttributes, checkQueueName, DEFAULT_ATTRIBUTES, firstDifference } from "./queue-attributes.js";
import { refusals } from "./refusals.js";
import type { QueueHost, QueueRow } from "./rows.js";

/** Queue names are at most 80 ASCII characters, so this is behind them all. */
const BEHIND_ALL_NAMES = Buffer.from([0xff]);
const MOST_QUEUES = 100_000;

/** The queues by name. Nothing is kept in memory: another process may change any of it. */
export class Catalog {
  readonly #host: QueueHost;

  constructor(host: QueueHost) {
    this.#host = host;
  }

  find(name: string): QueueRow | undefined {
    return this.#host.tables.queues.get(nameKey(name));
  }

  /** Throws QueueDoesNotExist. */
  row(name: string): QueueRow {
    const row = this.find(name);
    if (!row) throw refusals.queueDoesNotExist(name);
    return row;
  }

  names(prefix = ""): string[] {
    const range = { from: nameKey(prefix === "" ? "-" : prefix), to: BEHIND_ALL_NAMES, limit: MOST_QUEUES };
    const names = this.#host.tables.queues.keys(range).map((key) => key.toString("utf8"));
    return names.filter((name) => name.startsWith(prefix));
  }

  /** Inside a transaction. */
  create(name: string, attributes: Partial<QueueAttributes>): void {
    checkQueueName(name);
    this.#check(name, attributes);
    const existing = this.find(name);
    if (existing) {
      const different = firstDifference(existing.attributes, attributes);
      if (different !== undefined) throw refusals.queueNameExists(name, different);
      return;
    }
    const now = this.#host.now();
    this.#put(name, {
      id: this.next("queue"),
      lane: this.next("lane"),
      attributes: { ...DEFAULT_ATTRIBUTES, ...attributes },
      createdAt: now,
      modifiedAt: now,
    });
  }

  /** Inside a transaction. */
  setAttributes(name: string, attributes: Partial<QueueAttributes>): void {
    const row = this.row(name);
    this.#check(name, attributes);
    this.#put(name, {
      ...row,
      attributes: { ...row.attributes, ...attributes },
      modifiedAt: this.#host.now(),
    });
  }

  /** Inside a transaction. */
  delete(name: string): void {
    const row = this.row(name);
    this.#host.tables.queues.remove(nameKey(name));
    this.#discard(name, row.lane);
  }

  /** Inside a transaction: whatever the queue holds is gone at once and cleared away in the background. */
  purge(name: string): void {
    const row = this.row(name);
    this.#put(name, { ...row, lane: this.next("lane") });
    this.#discard(name, row.lane);
  }

  /** Inside a transaction: the first of `count` numbers that nobody had before. */
  next(counter: "queue" | "lane" | "sequence", count = 1): number {
    const { counters } = this.#host.tables;
    const key = nameKey(counter);
    const first = counters.get(key) ?? 1;
    counters.put(key, first + count);
    return first;
  }

  #check(name: string, attributes: Partial<QueueAttributes>): void {
    checkAttributes(name, attributes, (target) => this.find(target) !== undefined);
  }

  #put(name: string, row: QueueRow): void {
    this.#host.tables.queues.put(nameKey(name), row);
  }

  #discard(queue: string, lane: number): void {
    this.#host.tables.trash.put(laneKey(lane), { queue });
  }
}
