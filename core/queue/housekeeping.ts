import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import type { Effects } from "./effects.js";
import { Lane } from "./lane.js";
import { laneOf } from "./lanes.js";
import type { QueueHost } from "./rows.js";
import { emptyLane, settle } from "./settle.js";

/** Runs work in a transaction of its own and what follows from it. */
export type Transact = <T>(work: (effects: Effects) => T) => Promise<T>;

const ALL_LANES = { from: Buffer.from([0]), to: Buffer.from([0xff, 0xff, 0xff, 0xff]), limit: 16 };

/**
 * Background work, in small transactions: emptying purged lanes and catching up with queues that time has overtaken.
 *
 *   idle --wake()--> working --(a round that found nothing to do)--> idle
 *                    working --wake()--> working, one more round
 *   any  --stop()--> stopped, once the running transaction is done
 */
export class Housekeeping {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly #transact: Transact;
  #state: "idle" | "working" | "stopped" = "idle";
  #again = false;
  #work: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(host: QueueHost, catalog: Catalog, bodies: Bodies, transact: Transact) {
    this.#host = host;
    this.#catalog = catalog;
    this.#bodies = bodies;
    this.#transact = transact;
  }

  /** Asks for a round; returns at once. */
  wake(): void {
    this.#again = true;
    if (this.#state !== "idle") return;
    this.#state = "working";
    this.#work = this.#rounds();
  }

  /** Resolves when everything asked for so far is done; throws what stopped it, if anything did. */
  async idle(): Promise<void> {
    await this.#work;
    if (this.#failure) throw this.#failure.error;
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    await this.#work;
  }

  #stopped(): boolean {
    return this.#state === "stopped";
  }

  async #rounds(): Promise<void> {
    this.#failure = undefined;
    try {
      while (this.#again && !this.#stopped()) {
        this.#again = false;
        if (await this.#round()) this.#again = true;
      }
    } catch (error) {
      // Nothing is lost by stopping here: what this would have cleared away is invisible already, the next wake-up
      // tries again, and whatever is wrong (a full disk) is reported by the operation in the foreground that meets it.
      this.#failure = { error };
    } finally {
      if (!this.#stopped()) this.#state = "idle";
    }
  }

  /** True when there is more to do. */
  async #round(): Promise<boolean> {
    let more = false;
    for (const key of this.#host.tables.trash.keys(ALL_LANES)) {
      if (this.#stopped()) return false;
      more = !(await this.#transact((effects) => this.#empty(key, effects))) || more;
    }
    for (const name of this.#catalog.names()) {
      if (this.#stopped()) return false;
      more = (await this.#catchUp(name)) || more;
    }
    return more;
  }

  /** True when the lane is gone. */
  #empty(key: Buffer, effects: Effects): boolean {
    if (!this.#host.tables.trash.has(key)) return true; // another process was faster
    const { tables } = this.#host;
    const empty = emptyLane(tables, new Lane(tables, key.readUInt32BE(0), false), this.#bodies, effects);
    if (empty) tables.trash.remove(key);
    return empty;
  }

  /** True when it did something: there may be more. */
  async #catchUp(name: string): Promise<boolean> {
    const overdue = () => {
      const row = this.#catalog.find(name);
      if (!row) return undefined;
      const lane = laneOf(this.#host, row);
      return lane.isOverdue(this.#host.now(), row.attributes.MessageRetentionPeriod * 1000)
        ? { row, lane }
        : undefined;
    };
    if (!this.#host.snapshot(overdue)) return false;
    return this.#transact((effects) => {
      const found = overdue();
      if (!found) return false;
      settle(found.lane, found.row, this.#host.now(), this.#bodies, effects);
      found.lane.save();
      effects.wake(name);
      return true;
    });
  }
}
