import { behindTime, laneEnd, laneKey, scopedKey, textKey, timeAfter, timeKey, timeOf } from "./keys.js";
import type { AttemptRow, QueueTables, RepeatRow } from "./rows.js";

/** SQS's deduplication interval; a receive request attempt is remembered as long. */
const REMEMBERED_MS = 300_000;

/** Forgotten in one go: a busy queue forgets on every send as many as it remembers, and more. */
const MOST_FORGOTTEN = 50;

const REPEAT = Buffer.from([1]);
const ATTEMPT = Buffer.from([2]);

/** What a FIFO lane remembers for five minutes: deduplication ids and receive request attempts. */
export class Repeats {
  readonly #tables: QueueTables;
  readonly #lane: number;
  /** Nothing is to be forgotten before. Epoch ms. */
  #nextEnd = 0;

  constructor(tables: QueueTables, lane: number) {
    this.#tables = tables;
    this.#lane = lane;
  }

  /** What was sent with the same id. `scope`: the group, or empty. */
  find(scope: string, id: string, now: number): Omit<RepeatRow, "until"> | undefined {
    const row = this.#tables.repeats.get(scopedKey(this.#lane, scope, id));
    if (!row || row.until <= now) return undefined;
    return { messageId: row.messageId, sequenceNumber: row.sequenceNumber };
  }

  remember(scope: string, id: string, sent: Omit<RepeatRow, "until">, now: number): void {
    const key = scopedKey(this.#lane, scope, id);
    const until = now + REMEMBERED_MS;
    this.#tables.repeats.put(key, { ...sent, until });
    this.#willEnd(until, key, REPEAT);
  }

  attempt(id: string, now: number): AttemptRow | undefined {
    const row = this.#tables.attempts.get(textKey(this.#lane, id));
    return row && row.until > now ? row : undefined;
  }

  rememberAttempt(id: string, given: AttemptRow["given"], now: number): void {
    const key = textKey(this.#lane, id);
    const until = now + REMEMBERED_MS;
    this.#tables.attempts.put(key, { until, given });
    this.#willEnd(until, key, ATTEMPT);
  }

  /** Removes what is old enough, a piece at a time. */
  forget(now: number): void {
    if (now < this.#nextEnd) return;
    const range = { from: laneKey(this.#lane), to: timeAfter(this.#lane, now), limit: MOST_FORGOTTEN };
    for (const { key, value } of this.#tables.expiring.entries(range)) {
      const own = Buffer.concat([laneKey(this.#lane), behindTime(key)]);
      const table = value.equals(REPEAT) ? this.#tables.repeats : this.#tables.attempts;
      const row: { readonly until: number } | undefined = table.get(own);
      if (row && row.until <= now) table.remove(own);
      this.#tables.expiring.remove(key);
    }
    const [first] = this.#tables.expiring.keys({
      from: laneKey(this.#lane),
      to: laneEnd(this.#lane),
      limit: 1,
    });
    this.#nextEnd = first ? timeOf(first) : Number.POSITIVE_INFINITY;
  }

  #willEnd(until: number, key: Buffer, what: Buffer): void {
    this.#tables.expiring.put(this.#expiringKey(until, key), what);
    this.#nextEnd = Math.min(this.#nextEnd, until);
  }

  /** Lane and time, then what follows the lane in the key it is about. */
  #expiringKey(until: number, key: Buffer): Buffer {
    return Buffer.concat([timeKey(this.#lane, until), key.subarray(laneKey(0).length)]);
  }
}
