import { z } from "zod";
import type { BucketSpec, Value } from "../contracts/index.js";

/*
 * The ledger of one bucket, as it lies in the data directory: who may send how much. Everything here is a pure function of
 * it and the time.
 *
 * A process takes a grant: so many requests, to be sent within a short lease. What it has sent it reports when it takes the
 * next one, so that not every request costs a transaction. A grant counts as sent in full, at the end of its lease, until
 * its holder says otherwise. Of a holder that died nobody knows what it has sent: its grant ends at once, and comes back when
 * it has left the window, or as soon as an answer that is younger tells what was counted. Places of a dead holder are free.
 *
 * Two counts bound what may be granted, and the smaller one holds:
 *
 *   own    limit - reserve - what we have sent in the window - what is granted
 *   told   remaining, by the last answer - reserve - what we have sent since and may not be counted in it
 *
 * The second one sees what other applications use. Its last term is exact by time: a request that was answered before the one
 * was sent whose answer told `remaining` is counted in it, one that was answered later may not be.
 */

/** A grant of requests; of a concurrent bucket, of places. */
const grant = z.strictObject({
  id: z.string(),
  /** Whose it is. */
  holder: z.strictObject({ pid: z.int(), host: z.string() }),
  /** Not sent yet. */
  count: z.int(),
  /** Sent and not answered. */
  flying: z.int(),
  /** Epoch ms: nothing is sent on it later. */
  until: z.number(),
});

const told = z.strictObject({
  remaining: z.int(),
  /** Epoch ms: when the request was sent that brought it. */
  at: z.number(),
  /** Epoch ms: it holds no longer. */
  until: z.number(),
  /** The count begins anew at `until`. */
  resets: z.boolean(),
  /** It came with an answer to a counted request, which is among `answered` itself. */
  carried: z.boolean(),
});

const ledger = z.strictObject({
  /** By the last answer that named it. */
  limit: z.int().nullable(),
  /** Requests answered since the last word, by the time of the answer. */
  answered: z.array(z.tuple([z.number(), z.int()])),
  /** Requests sent, by the end of the slice of time they were sent in. */
  sent: z.array(z.tuple([z.number(), z.int()])),
  grants: z.array(grant),
  told: told.nullable(),
  /** Epoch ms: the other side has refused us, and nobody asks before. 0: it has not. */
  closedUntil: z.number(),
});

export type Ledger = z.output<typeof ledger>;
export type Grant = z.output<typeof grant>;
export type Told = z.output<typeof told>;

/** A bucket as this project uses it. */
export interface BucketRule {
  readonly spec: BucketSpec;
  /** Share (0 to 1) of the limit that is left to other applications. */
  readonly reserve: number;
}

const EMPTY: Ledger = { limit: null, answered: [], sent: [], grants: [], told: null, closedUntil: 0 };

/** A ledger of another form is as good as none: an account of at most a day, which the next answers tell anew. */
export function readLedger(value: Value | undefined): Ledger {
  const parsed = ledger.safeParse(value);
  return parsed.success ? parsed.data : EMPTY;
}

export function writeLedger({ answered, sent, grants, told, ...rest }: Ledger): Value {
  return {
    ...rest,
    answered: answered.map(([at, count]) => [at, count]),
    sent: sent.map(([at, count]) => [at, count]),
    grants: grants.map((entry) => ({ ...entry })),
    told: told === null ? null : { ...told },
  };
}

/** Whether the process that holds a grant may still be there. */
export type IsAlive = (holder: Grant["holder"]) => boolean;

/** Grants of holders that went without a word, in one ledger at most. */
const MOST_GRANTS = 64;

/** Without what no longer counts, and with the grants of dead holders ended. */
export function forget(rule: BucketRule, state: Ledger, now: number, isAlive: IsAlive): Ledger {
  const { spec } = rule;
  const afterwards = tailMs(spec);
  const known = state.grants.filter(({ until }) => until + afterwards > now);
  if (spec.kind === "concurrent") {
    return { ...state, answered: [], sent: [], grants: known.filter(({ holder }) => isAlive(holder)) };
  }
  const grants = known.map((entry) =>
    entry.until <= now || isAlive(entry.holder) ? entry : { ...entry, until: now, flying: 0 },
  );
  const sent = state.sent.filter(([at]) => at + spec.windowMs > now);
  const since = Math.max(state.told?.at ?? 0, now - spec.windowMs);
  const answered = fewer(state.answered.filter(([at]) => at > since));
  if (grants.length <= MOST_GRANTS) return { ...state, answered, sent, grants };
  // The oldest of a process that dies and dies: what they may have sent counts as sent.
  const [oldest, ...younger] = grants.sort((a, b) => a.until - b.until);
  if (oldest === undefined) return { ...state, answered, sent, grants };
  const all: Ledger["sent"] = sent.map(([at, count]) => [at, count]);
  addSent(rule, all, oldest.until, oldest.count);
  const isTold = state.told === null || oldest.until < state.told.at;
  const lost: Ledger["answered"] = isTold ? [] : [[oldest.until, oldest.count + oldest.flying]];
  return forget(
    rule,
    { ...state, sent: all, answered: [...answered, ...lost], grants: younger },
    now,
    isAlive,
  );
}

const MOST_ANSWERED = 64;

/** At most so many entries: the earliest take the time of the next, which makes them count longer, never shorter. */
function fewer(answered: Ledger["answered"]): Ledger["answered"] {
  const sorted = answered.map(([at, count]): [number, number] => [at, count]).sort(([a], [b]) => a - b);
  const surplus = sorted.splice(0, Math.max(0, sorted.length - MOST_ANSWERED));
  const [first] = sorted;
  if (first !== undefined) for (const [, count] of surplus) first[1] += count;
  return sorted;
}

/** How long a grant counts after its lease. */
function tailMs(spec: BucketSpec): number {
  return spec.kind === "window" ? spec.windowMs : spec.longestMs;
}

/** Slices of a window: what was sent is forgotten up to one of them too late, never too early. */
const SLICES = 120;

/** Adds requests that were sent at `at`. */
export function addSent({ spec }: BucketRule, sent: Ledger["sent"], at: number, count: number): void {
  if (spec.kind !== "window" || count === 0) return;
  const slice = Math.max(1, Math.ceil(spec.windowMs / SLICES));
  const end = Math.ceil(at / slice) * slice;
  const entry = sent.find(([other]) => other === end);
  if (entry === undefined) sent.push([end, count]);
  else entry[1] += count;
}

/** The limit in force; undefined while nobody has told it. */
export function limitOf({ spec, reserve }: BucketRule, state: Ledger): number | undefined {
  const promised = spec.kind === "window" && reserve > 0 ? spec.atLeast : undefined;
  return state.limit ?? spec.limit ?? promised;
}

/** Requests of the limit that are left to others; one is always ours. */
export function reserveOf(rule: BucketRule, state: Ledger): number {
  const limit = limitOf(rule, state) ?? 0;
  // 7 % of 100 is 7.000000000000001.
  return Math.max(0, Math.min(limit - 1, Math.ceil(limit * rule.reserve - 1e-9)));
}

/** How much may be granted at `now` (Infinity: no limit is known) and, where that is nothing, when to look again. */
export interface Room {
  readonly count: number;
  /** Epoch ms: there will be room, unless others take it; `now` where there is. */
  readonly freeAt: number;
  /** Epoch ms: there may be room, since somebody's grant ends. At most freeAt. */
  readonly lookAt: number;
}

/** `state` is without what no longer counts. */
export function roomOf(rule: BucketRule, state: Ledger, now: number): Room {
  const own = ownRoom(rule, state, now);
  const left = toldRoom(rule, state, now);
  const count = now < state.closedUntil ? 0 : Math.max(0, Math.min(own, left));
  if (count >= 1) return { count, freeAt: now, lookAt: now };
  const freeAt = Math.max(
    state.closedUntil,
    own < 1 ? ownFreeAt(rule, state, own) : now,
    left < 1 ? (state.told?.until ?? now) : now,
  );
  const ends = state.grants.map(({ until }) => until).filter((until) => until > now);
  const lookAt = Math.max(state.closedUntil, Math.min(freeAt, ...ends));
  return { count: 0, freeAt, lookAt };
}

function ownRoom(rule: BucketRule, state: Ledger, now: number): number {
  const limit = limitOf(rule, state);
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  const grants = openGrants(state, now);
  // What is under way of a window's requests is among those sent.
  const taken = rule.spec.kind === "window" ? held(grants) : held(grants) + flying(grants);
  return limit - reserveOf(rule, state) - sentIn(state) - taken;
}

export function sentIn(state: Ledger): number {
  return state.sent.reduce((sum, [, count]) => sum + count, 0);
}

/** Granted and not known to be sent. */
export function held(grants: readonly Grant[]): number {
  return grants.reduce((sum, { count }) => sum + count, 0);
}

export function flying(grants: readonly Grant[]): number {
  return grants.reduce((sum, grant) => sum + grant.flying, 0);
}

/** Requests in the account's count at the last word, and since, by which it may have shrunk. Infinity: no word that holds. */
function toldRoom(rule: BucketRule, state: Ledger, now: number): number {
  const left = toldLeft(state, now);
  return left === undefined ? Number.POSITIVE_INFINITY : left - reserveOf(rule, state);
}

/** What is left to the account as far as the other side has said. */
export function toldLeft(state: Ledger, now: number): number | undefined {
  const { told, answered } = state;
  if (told === null || now >= told.until) return undefined;
  const open = openGrants(state, now);
  const later = answered.reduce((sum, [at, count]) => (at > told.at ? sum + count : sum), 0);
  const since = Math.max(0, later - (told.carried && later > 0 ? 1 : 0));
  return told.remaining - since - held(open) - flying(open);
}

/** Grants of which the last word of the other side does not tell what became: while it holds, the others are counted in it. */
function openGrants({ told, grants }: Ledger, now: number): readonly Grant[] {
  if (told === null || now >= told.until) return grants;
  // One that ended in the very millisecond may have been used behind the request that told.
  return grants.filter(({ until }) => until >= told.at);
}

/** When so much has left the window that there is room for one. */
function ownFreeAt({ spec }: BucketRule, state: Ledger, own: number): number {
  const afterwards = tailMs(spec);
  const leaving = [
    ...state.sent.map(([at, count]) => ({ at: at + afterwards, count })),
    ...state.grants.map((grant) => ({ at: grant.until + afterwards, count: grant.count + grant.flying })),
  ].sort((a, b) => a.at - b.at);
  let room = own;
  for (const { at, count } of leaving) {
    room += count;
    if (room >= 1) return at;
  }
  return leaving.at(-1)?.at ?? 0;
}

/** Requests that one process may hold at most. */
const MOST_GRANTED = 128;

/**
 * How many of `wanted` one process gets, of a room that has at least one: a small part, so that others find something too and
 * the death of a process costs little. One alone where the last word has run out or was a refusal: its answer tells more.
 */
export function grantOf(rule: BucketRule, state: Ledger, room: number, wanted: number, now: number): number {
  if (rule.spec.kind === "concurrent") return Math.min(wanted, room);
  if (state.closedUntil !== 0 || (state.told !== null && now >= state.told.until)) return 1;
  const limit = limitOf(rule, state) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(wanted, MOST_GRANTED, Math.floor(limit / 100), Math.floor(room / 4)));
}

/** How long a grant lasts: a small part of the window, since it counts until the end of it. */
export function leaseMs({ spec }: BucketRule): number {
  return spec.kind === "window" ? Math.min(60_000, Math.max(500, spec.windowMs / 20)) : 60_000;
}
