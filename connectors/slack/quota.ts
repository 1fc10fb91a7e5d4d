import type { Clock, ConnectorContext, Log } from "../../core/contracts/index.js";

/*
 * Limits hold per method and workspace: a tier of so many calls a minute, and for conversations.history and .replies of apps that
 * are sold without being listed in Slack's marketplace one call a minute and 15 messages a call. Whether an app falls under that
 * rule no answer says, and what is written about older installations contradicts itself. So it is found out:
 *
 *   full --two pages of exactly 15 messages with more to come, though more were asked for----------> small
 *   full --one of at most 15, after a 429 that asked for half a minute or longer-------------------> small
 *   small --a page of more than 15--> full          (every 20th call asks for a full page, to find out)
 *
 * In `small` 15 messages are asked for, and calls of one method keep a minute's distance. In either profile a 429 closes its method,
 * and no other, until the time it names is over: several calls under way would each be refused again.
 */

/** Messages per call, and the distance of calls, of the small quota. */
export const SMALL_PAGE = 15;
export const SMALL_DISTANCE_MS = 60_000;
const TELLING_WAIT_MS = 30_000;
const PAGES_TO_BELIEVE = 2;
const CALLS_TO_PROBE = 20;

/** Methods that the small quota is about. */
const RATIONED: ReadonlySet<string> = new Set(["conversations.history", "conversations.replies"]);

/** What one connection knows about its limits. */
export class Quota {
  readonly #context: Pick<ConnectorContext, "clock" | "connection" | "onWait">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closedUntil = new Map<string, number>();
  readonly #calledAt = new Map<string, number>();
  /** The last call in line, by method; only the small quota makes them stand in line. */
  readonly #lines = new Map<string, Promise<unknown>>();
  #small = false;
  #warned = false;
  #shortPages = 0;
  #longWait = false;
  #callsSinceProbe = 0;

  constructor(context: Pick<ConnectorContext, "clock" | "connection" | "log" | "onWait">) {
    this.#context = context;
    this.#clock = context.clock;
    this.#log = context.log;
  }

  /** The small quota was seen. */
  get isSmall(): boolean {
    return this.#small;
  }

  /** How many messages a call brings, of `wanted`. */
  effectiveSize(wanted: number): number {
    return this.#small ? Math.min(wanted, SMALL_PAGE) : wanted;
  }

  /** How many messages to ask for, of `wanted`; now and then all of them, to find out whether they come. */
  pageSize(wanted: number): number {
    if (!this.#small) return wanted;
    this.#callsSinceProbe++;
    if (this.#callsSinceProbe < CALLS_TO_PROBE) return this.effectiveSize(wanted);
    this.#callsSinceProbe = 0;
    return wanted;
  }

  /** Sends a call of this method when it may be sent; under the small quota behind those that were waiting before. */
  inTurn<T>(method: string, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const call = async () => {
      await this.#turn(method, signal);
      const answer = await send();
      // Not when it was sent: it may have waited for its turn in between.
      this.#calledAt.set(method, this.#clock.now());
      return answer;
    };
    if (!this.#small || !RATIONED.has(method)) return call();
    const line = this.#lines.get(method) ?? Promise.resolve();
    const answer = line.then(call);
    this.#lines.set(
      method,
      answer.catch(() => undefined),
    );
    return answer;
  }

  async #turn(method: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const distance = this.#small && RATIONED.has(method) ? SMALL_DISTANCE_MS : 0;
      const free = (this.#calledAt.get(method) ?? Number.NEGATIVE_INFINITY) + distance;
      const ms = Math.max(free, this.#closedUntil.get(method) ?? 0) - now;
      // A clock that was set back would otherwise wait for its own past.
      if (!(ms > 0) || ms > 24 * 3_600_000) break;
      this.#context.onWait?.({ reason: `${this.#context.connection}: rate limit of ${method}`, ms });
      await this.#clock.sleep(ms, signal);
    }
  }

  /** A call of this method was refused for so long. */
  refused(method: string, ms: number): void {
    this.#closedUntil.set(method, this.#clock.now() + ms);
    if (RATIONED.has(method) && ms >= TELLING_WAIT_MS) this.#longWait = true;
  }

  /** A page came: `asked` for so many messages, `got` so many. */
  saw(page: { readonly asked: number; readonly got: number; readonly more: boolean }): void {
    if (page.got > SMALL_PAGE) {
      this.#shortPages = 0;
      this.#longWait = false;
      if (this.#small) this.#log.info("Slack gives full pages again", this.#fields());
      this.#small = false;
      return;
    }
    if (this.#small || page.asked <= SMALL_PAGE || !page.more || page.got === 0) return;
    // Any page may be short; the small quota makes them all of one size.
    if (page.got === SMALL_PAGE) this.#shortPages++;
    if (this.#shortPages < PAGES_TO_BELIEVE && !this.#longWait) return;
    this.#small = true;
    if (this.#warned) return;
    this.#warned = true;
    this.#log.warn(SMALL_QUOTA_WARNING, this.#fields());
  }

  #fields(): Record<string, unknown> {
    return { connection: this.#context.connection };
  }
}

export const SMALL_QUOTA_WARNING =
  "Slack gives this app 15 messages a call and one call a minute, as apps that are sold without being listed in its marketplace get: " +
  "10,000 messages take 11 hours. Use an app of your own workspace (internal apps keep the full quota), or narrow channels and start.";

/** Milliseconds that so many calls of a method take under the small quota. */
export function smallQuotaMs(calls: number): number {
  return calls * SMALL_DISTANCE_MS;
}
