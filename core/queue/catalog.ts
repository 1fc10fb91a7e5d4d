import type { QueueAttributeChanges, QueueAttributes } from "../contracts/index.js";
import { laneKey, nameKey } from "./keys.js";
import {
  changedAttributes,
  checkAttributes,
  checkQueueName,
  checkTogether,
  firstDifference,
  initialAttributes,
} from "./queue-attributes.js";
import { refusals } from "./refusals.js";
import { isFifo, type QueueHost, type QueueRow } from "./rows.js";
import { checkTags } from "./tags.js";

/** Queue names are at most 80 ASCII characters, so this is behind them all. */
const BEHIND_ALL_NAMES = Buffer.from([0xff]);
const MOST_QUEUES = 100_000;
/** After a deletion and after a purge (SQS API reference, DeleteQueue, PurgeQueue). */
const COOLDOWN_MS = 60_000;

/** The rows that the works of this process have asked for, by name. */
class KnownRows {
  readonly byName = new Map<string, QueueRow>();
}

/** Sequence numbers taken out of the counter at once: those that are left when a process ends are never used. */
const BLOCK = 1_000;

/** The sequence numbers that the works of this process have taken and not used yet. */
class TakenNumbers {
  next = 0;
  end = 0;
}

/** The queues by name. A look from outside a transaction reads the table, since another process may change any of it. */
export class Catalog {
  readonly #host: QueueHost;
  /** Rows as last parsed: every operation asks for its queue, and hardly any finds it changed. */
  readonly #parsed = new Map<string, { readonly bytes: Buffer; readonly row: QueueRow }>();

  constructor(host: QueueHost) {
    this.#host = host;
  }

  find(name: string): QueueRow | undefined {
    const known = this.#known?.get(name) ?? this.#read(name);
    if (known) this.#known?.set(name, known);
    return known;
  }

  get #known(): Map<string, QueueRow> | undefined {
    return this.#host.cache()?.of(KnownRows).byName;
  }

  #read(name: string): QueueRow | undefined {
    const bytes = this.#host.tables.queues.get(nameKey(name));
    if (!bytes) {
      this.#parsed.delete(name);
      return undefined;
    }
    const known = this.#parsed.get(name);
    if (known?.bytes.equals(bytes)) return known.row;
    const row: QueueRow = JSON.parse(bytes.toString());
    this.#parsed.set(name, { bytes, row });
    return row;
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

  /** Names of the queues whose redrive policy points at `target`. */
  sourcesOf(target: string): string[] {
    return this.names().filter(
      (name) => this.find(name)?.attributes.RedrivePolicy?.deadLetterTargetQueue === target,
    );
  }

  /** Inside a transaction. */
  create(name: string, attributes: Partial<QueueAttributes>, cooldown: boolean): void {
    const fifo = attributes.FifoQueue === true;
    checkQueueName(name, fifo);
    this.#check(name, fifo, attributes);
    const existing = this.find(name);
    if (existing) {
      const different = firstDifference(existing.attributes, attributes);
      if (different !== undefined) throw refusals.queueNameExists(name, different);
      return;
    }
    const now = this.#host.now();
    const { deleted } = this.#host.tables;
    const deletedAt = deleted.get(nameKey(name));
    if (deletedAt !== undefined) {
      if (cooldown && now < deletedAt + COOLDOWN_MS) throw refusals.deletedRecently(name);
      deleted.remove(nameKey(name));
    }
    const initial = initialAttributes(attributes);
    checkTogether(name, initial);
    this.#put(name, {
      id: this.#take("queue", 1),
      lane: this.#take("lane", 1),
      attributes: initial,
      createdAt: now,
      modifiedAt: now,
    });
  }

  /** Inside a transaction. */
  setAttributes(name: string, changes: QueueAttributeChanges): void {
    const row = this.row(name);
    this.#check(name, isFifo(row), changes);
    const attributes = changedAttributes(row.attributes, changes);
    checkTogether(name, attributes);
    this.#put(name, { ...row, attributes, modifiedAt: this.#host.now() });
  }

  /** Inside a transaction. */
  tag(name: string, tags: Readonly<Record<string, string>>): void {
    const row = this.row(name);
    const all = { ...row.tags, ...tags };
    checkTags(name, tags, all);
    this.#put(name, { ...row, tags: all });
  }

  /** Inside a transaction. */
  untag(name: string, keys: readonly string[]): void {
    const row = this.row(name);
    const kept = Object.entries(row.tags ?? {}).filter(([key]) => !keys.includes(key));
    this.#put(name, { ...row, tags: Object.fromEntries(kept) });
  }

  /** Inside a transaction. */
  delete(name: string): void {
    const row = this.row(name);
    this.#host.tables.queues.remove(nameKey(name));
    this.#known?.delete(name);
    this.#host.tables.deleted.put(nameKey(name), this.#host.now());
    this.#discard(name, row.lane);
  }

  /** Inside a transaction: whatever the queue holds is gone at once and cleared away in the background. */
  purge(name: string, cooldown: boolean): void {
    const row = this.row(name);
    const now = this.#host.now();
    if (cooldown && row.purgedAt !== undefined && now < row.purgedAt + COOLDOWN_MS)
      throw refusals.purgeInProgress(name);
    this.#put(name, { ...row, lane: this.#take("lane", 1), purgedAt: now });
    this.#discard(name, row.lane);
  }

  /** Inside a transaction: the first of `count` numbers in a row that no message had before. They rise. */
  nextSequence(count = 1): number {
    const taken = this.#host.cache()?.of(TakenNumbers) ?? new TakenNumbers();
    if (taken.end - taken.next < count) {
      taken.next = this.#take("sequence", count + BLOCK);
      taken.end = taken.next + count + BLOCK;
    }
    const first = taken.next;
    taken.next += count;
    return first;
  }

  #take(counter: "queue" | "lane" | "sequence", count: number): number {
    const { counters } = this.#host.tables;
    const key = nameKey(counter);
    const first = counters.get(key) ?? 1;
    counters.put(key, first + count);
    return first;
  }

  #check(name: string, fifo: boolean, changes: QueueAttributeChanges): void {
    checkAttributes(name, changes, {
      fifo,
      target: (other) => {
        const row = this.find(other);
        return row && { fifo: isFifo(row), allows: row.attributes.RedriveAllowPolicy };
      },
    });
  }

  #put(name: string, row: QueueRow): void {
    this.#host.tables.queues.put(nameKey(name), Buffer.from(JSON.stringify(row)));
    this.#known?.set(name, row);
  }

  #discard(queue: string, lane: number): void {
    this.#host.tables.trash.put(laneKey(lane), { queue });
  }
}
