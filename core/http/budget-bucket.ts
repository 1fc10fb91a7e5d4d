import { hostname } from "node:os";
import {
  type BudgetTicket,
  type Clock,
  type Environment,
  type LimitFacts,
  type Log,
  type Random,
  RateLimitError,
  type TakeOptions,
  throwIfCancelled,
} from "../contracts/index.js";
import {
  addSent,
  type BucketRule,
  forget,
  type Grant,
  grantOf,
  type IsAlive,
  type Ledger,
  leaseMs,
  type Room,
  readLedger,
  reserveOf,
  roomOf,
  type Told,
  writeLedger,
} from "./budget-ledger.js";
import { singleFlight } from "./flight.js";

/** What the buckets of one connection share. */
export interface BudgetHost {
  readonly connection: string;
  readonly environment: Pick<Environment, "transaction">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Who takes the grants; left out: this process. */
  readonly holder?: Grant["holder"];
  /** Whether a process of this or another machine may still be there; left out: nobody is known to have died. */
  readonly isAlive?: IsAlive;
}

const THIS_PROCESS = { pid: process.pid, host: hostname() };

/** The store's key of a bucket's ledger. */
export const ledgerKey = (connection: string, bucket: string) => `budget/${connection}/${bucket}`;

/** What another process holds it may give back at any time, and nobody is told. */
const LOOK_FOR_RETURNS_MS = 2_000;
/** The machine may have slept: no wait is slept through as a whole. */
const LOOK_AGAIN_MS = 60_000;
const MOST_WANTED = 128;

/*
 * One process's part of a bucket.
 *
 *   empty --take--> asking --granted--> stocked --take--> stocked ... --none left, or lease over--> empty
 *                   asking --no room--> waiting --looks again--> asking
 *                                       waiting --too long--> RateLimitError (park)
 *   any   --refused by the other side--> empty, and the ledger closed for everybody
 *
 * `stocked` sends without asking anybody. Every transaction gives back what the last grant left, reports what was sent and
 * learned, and takes the next grant, twice as large where the last one did not last.
 */
export class BudgetBucket {
  readonly rule: BucketRule;
  readonly #host: BudgetHost;
  readonly #id: string;
  readonly #refill: (signal?: AbortSignal) => Promise<void>;
  #waiting: Pick<TakeOptions, "longestWaitMs" | "onWait"> | undefined;
  /** Those who do not wait, to be told when there is something to wait for. */
  readonly #hurried = new Set<(room: Room) => void>();
  /** What those who wait are waiting for. */
  #awaited: Room | undefined;
  #syncs: Promise<unknown> = Promise.resolve();

  /** The grant, and until when: requests that may still be sent; of a concurrent bucket, places, taken ones included. */
  #stock = 0;
  #until = 0;
  #wanted = 1;
  #flying = 0;
  /** Most requests under way since the last transaction. */
  #peak = 0;

  /** To be reported by the next transaction. */
  #sent: Ledger["sent"] = [];
  #answered: Ledger["answered"] = [];
  #heard: Told | undefined;
  #heardLimit: number | undefined;
  #closedUntil = 0;

  /** There has been a transaction. */
  #isKnown = false;
  /** Of the ledger, as the last transaction left it. */
  #reserve = 0;

  constructor(rule: BucketRule, host: BudgetHost) {
    this.rule = rule;
    this.#host = host;
    this.#id = host.random.uuid();
    this.#refill = singleFlight((signal) => this.#ask(signal));
  }

  get #isConcurrent(): boolean {
    return this.rule.spec.kind === "concurrent";
  }

  /** Whether a request may be sent now. */
  ready(now: number): boolean {
    const left = this.#isConcurrent ? this.#stock - this.#flying : this.#stock;
    return left > 0 && now < this.#until && now >= this.#closedUntil;
  }

  /** Resolves when there is something in stock, which others may have taken in the meantime. */
  refill(options: TakeOptions): Promise<void> {
    if (options.longestWaitMs === 0) return this.#hurry(options.signal);
    this.#waiting = options;
    return this.#refill(options.signal);
  }

  /**
   * For who does not wait at all: joins the others, since two who ask by themselves would take each other's grants for ever,
   * and leaves where they begin to wait.
   */
  async #hurry(signal: AbortSignal | undefined): Promise<void> {
    const left = new AbortController();
    let parked: RateLimitError | undefined;
    const leave = (room: Room) => {
      parked = this.#parked(room.freeAt, this.#host.clock.now());
      left.abort();
    };
    if (this.#awaited !== undefined) throw this.#parked(this.#awaited.freeAt, this.#host.clock.now());
    this.#hurried.add(leave);
    try {
      await this.#refill(signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]));
    } catch (error) {
      throw parked ?? error;
    } finally {
      this.#hurried.delete(leave);
    }
  }

  /** Counts a request that is sent now; `ready` holds. */
  send(now: number): BudgetTicket {
    if (!this.#isConcurrent) this.#stock--;
    this.#flying++;
    this.#peak = Math.max(this.#peak, this.#flying);
    addSent(this.rule, this.#sent, now, 1);
    let open = true;
    return {
      answered: (headers) => {
        if (!open) return;
        open = false;
        this.#flying--;
        if (!this.#isConcurrent) this.#answered.push([this.#host.clock.now(), 1]);
        const { spec } = this.rule;
        const facts = headers !== undefined && spec.kind === "window" ? spec.learn?.(headers) : undefined;
        if (facts !== undefined) this.#hear(facts, now, true);
      },
    };
  }

  learn(facts: LimitFacts): void {
    this.#hear(facts, this.#host.clock.now(), false);
    // A limit that shrank binds from now on.
    if (facts.limit !== undefined) this.#stock = 0;
  }

  #hear({ limit, remaining, resetsInMs }: LimitFacts, at: number, carried: boolean): void {
    const { spec } = this.rule;
    if (isCount(limit) && limit > 0) this.#heardLimit = limit;
    if (spec.kind !== "window" || !isCount(remaining)) return;
    const now = this.#host.clock.now();
    const until =
      resetsInMs === undefined ? at + (spec.askAgainMs ?? spec.windowMs) : now + Math.max(0, resetsInMs);
    const word = { remaining, at, until, resets: resetsInMs !== undefined, carried };
    if (!isLater(word, this.#heard)) return;
    this.#heard = word;
    this.#heed();
  }

  /** Sends no more than the last word allows, whatever was granted. */
  #heed(): void {
    if (this.#heard === undefined) return;
    const left = this.#heard.remaining - this.#reserve - this.#flying;
    this.#stock = Math.min(this.#stock, Math.max(0, left));
  }

  /** Nobody on this machine asks for so long. */
  close(ms: number | undefined): number {
    const { clock, log, connection } = this.#host;
    const { spec } = this.rule;
    const own = spec.kind === "window" ? (spec.askAgainMs ?? spec.windowMs) : LOOK_FOR_RETURNS_MS;
    const pause = ms ?? own;
    this.#closedUntil = Math.max(this.#closedUntil, clock.now() + pause);
    this.#wanted = 1;
    // The others should know at once; this process knows already.
    this.#sync(0).catch((error: unknown) => {
      log.warn("the other processes were not told of a limit", { connection, error: String(error) });
    });
    return pause;
  }

  /** Gives back what is in stock and writes down what is not yet. */
  async flush(): Promise<void> {
    const isDirty =
      this.#isKnown || this.#heard !== undefined || this.#heardLimit !== undefined || this.#closedUntil > 0;
    if (isDirty) await this.#sync(0);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#host.clock.now();
      this.#adaptWanted(now);
      const room = await this.#sync(this.#wanted);
      if (room === undefined) return;
      await this.#wait(room, signal);
    }
  }

  /** More where the last grant was used up within its lease, what was needed where it was not. */
  #adaptWanted(now: number): void {
    if (this.#isConcurrent) this.#wanted = this.#peak + Math.max(1, this.#peak);
    else if (this.#stock === 0 && now < this.#until) this.#wanted = Math.min(MOST_WANTED, this.#wanted * 2);
    else this.#wanted = Math.max(1, this.#wanted - Math.max(0, this.#stock));
  }

  async #wait(room: Room, signal: AbortSignal): Promise<void> {
    const { clock, connection } = this.#host;
    const { spec } = this.rule;
    const now = clock.now();
    const look = Math.max(1, room.lookAt - now);
    if (spec.kind === "window") for (const leave of this.#hurried) leave(room);
    throwIfCancelled(signal);
    const { longestWaitMs, onWait } = this.#waiting ?? { longestWaitMs: 0, onWait: () => undefined };
    if (spec.kind === "window" && look > longestWaitMs) throw this.#parked(room.freeAt, now);
    onWait({ reason: `${connection}: the budget of ${spec.title} is used up`, ms: look });
    const isHeld = spec.kind === "concurrent" || room.lookAt < room.freeAt;
    const most = isHeld ? LOOK_FOR_RETURNS_MS : LOOK_AGAIN_MS;
    if (spec.kind === "window") this.#awaited = room;
    try {
      await clock.sleep(Math.min(look, most), signal);
    } finally {
      this.#awaited = undefined;
    }
  }

  #parked(freeAt: number, now: number): RateLimitError {
    const { spec } = this.rule;
    const kept = this.#reserve === 0 ? "" : `, but for ${this.#reserve} that are kept for other applications`;
    return new RateLimitError("RATE_LIMIT_PARKED", `the ${spec.title} are used up${kept}`, {
      scope: "park",
      retryAfterMs: freeAt - now,
      place: `${this.#host.connection}: ${spec.name}`,
      fix: `Run the flow again after ${new Date(freeAt).toISOString()}: it resumes where it stopped.`,
    });
  }

  /** One after the other: each begins with what the one before has left. */
  #sync(wanted: number): Promise<Room | undefined> {
    const next = this.#syncs.then(() => this.#transact(wanted));
    this.#syncs = next.catch(() => undefined);
    return next;
  }

  /** Settles the last grant and takes the next one, of at most `wanted`. Undefined: granted, or nothing was wanted. */
  async #transact(wanted: number): Promise<Room | undefined> {
    const { environment, clock, holder = THIS_PROCESS, isAlive = () => true } = this.#host;
    const { rule } = this;
    const key = ledgerKey(this.#host.connection, rule.spec.name);
    this.#stock = 0;
    const outcome = await environment.transaction(({ store }) => {
      const now = clock.now();
      const reported = { answered: this.#answered.length, heard: this.#heard, limit: this.#heardLimit };
      const state = this.#settled(forget(rule, readLedger(store.get(key)), now, isAlive), now);
      const until = now + leaseMs(rule);
      const own = (free: number): Grant[] =>
        free + this.#flying === 0 ? [] : [{ id: this.#id, holder, count: free, flying: this.#flying, until }];
      // What this process has under way may not be in what it was told; its places it may keep.
      const others = this.#isConcurrent ? state : { ...state, grants: [...state.grants, ...own(0)] };
      const room = roomOf(rule, others, now);
      const count = wanted > 0 && room.count >= 1 ? grantOf(rule, state, room.count, wanted, now) : 0;
      const free = this.#isConcurrent ? Math.max(0, count - this.#flying) : count;
      const grants = [...state.grants, ...own(free)];
      const closedUntil = now < state.closedUntil || count === 0 ? state.closedUntil : 0;
      store.put(key, writeLedger({ ...state, grants, closedUntil }));
      const stock = this.#isConcurrent ? free + this.#flying : free;
      return { state, room, free, stock, until, reported };
    });
    const { state, room, free, stock, until, reported } = outcome;
    this.#sent = [];
    // What was answered and heard while the transaction was under way stays for the next one.
    this.#answered.splice(0, reported.answered);
    if (this.#heard === reported.heard) this.#heard = undefined;
    if (this.#heardLimit === reported.limit) this.#heardLimit = undefined;
    this.#closedUntil = Math.max(this.#closedUntil, state.closedUntil);
    this.#isKnown = true;
    this.#reserve = reserveOf(rule, state);
    this.#peak = this.#flying;
    this.#stock = stock;
    this.#until = free > 0 ? until : 0;
    this.#heed();
    return free > 0 || wanted === 0 ? undefined : room;
  }

  /** The ledger with what this process has to report, and without its last grant. */
  #settled(state: Ledger, now: number): Ledger {
    const sent = state.sent.map(([at, count]): [number, number] => [at, count]);
    for (const [at, count] of this.#sent) addSent(this.rule, sent, at, count);
    const answered = [...state.answered, ...this.#answered];
    const heard = this.#heard;
    // A word of the future is of a clock that was set back since.
    const before = state.told === null || state.told.at > now ? undefined : state.told;
    const isNews = heard !== undefined && isLater(heard, before);
    return {
      ...state,
      limit: this.#heardLimit ?? state.limit,
      answered,
      sent,
      grants: state.grants.filter(({ id }) => id !== this.#id),
      told: isNews ? heard : state.told,
      closedUntil: Math.max(state.closedUntil, this.#closedUntil > now ? this.#closedUntil : 0),
    };
  }
}

/** Of requests sent in the same millisecond, the one that found less left was counted later. */
function isLater(word: Told, before: Told | undefined): boolean {
  if (before === undefined || word.at > before.at) return true;
  return word.at === before.at && word.remaining < before.remaining;
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}
