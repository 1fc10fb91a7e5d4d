import {
  AuthError,
  ConfigError,
  type Log,
  type Page,
  type SourceRecord,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import {
  cursorValue,
  earliest,
  isoOf,
  msOf,
  type Position,
  type Stamp,
  stampOf,
  type WindowCursor,
} from "./cursor.js";
import type { DescribedObject } from "./describe.js";
import { TOO_MANY_IDS } from "./errors.js";
import { quote } from "./soql.js";
import { isRefusal } from "./updated.js";

/*
 * Records that left the recycle bin, or never entered it: no query shows them, only getDeleted lists their ids, for 15 days
 * and as long as its log was not purged. They come behind the rows of a window as {Id, IsDeleted: true, <cursor field>:
 * the date of the delete} and nothing else. What is still in the recycle bin is listed as well; queryAll hands it out
 * with all its fields, so it is left out here.
 */

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Of the 15 days that getDeleted looks back, less what the clocks may differ. */
const REACH_MS = 15 * DAY - 10 * MINUTE;
/** Ids in one question whether they still exist; 24 bytes each in a URL of 16 KB. */
const IDS_PER_QUERY = 400;
const PAGE_SIZE = 2_000;

export interface DeletesContext {
  readonly api: SalesforceApi;
  readonly object: DescribedObject;
  readonly log: Log;
  /** Epoch ms, by Salesforce's clock. */
  readonly now: number;
  readonly pageSize: number;
  readonly signal: AbortSignal;
}

/** The pages behind the rows of a window; the last one carries the finished cursor, which is also returned. */
export async function* readDeletes(
  context: DeletesContext,
  cursor: WindowCursor,
): AsyncGenerator<Page, WindowCursor> {
  const { field, window, rememberFrom, repeatsBelow, deletes, deletesTo, ...rest } = cursor;
  const from =
    window.from === null ? null : deletesTo === undefined ? window.from : earliest(window.from, deletesTo);
  // Before the first window nothing was handed out that could be gone.
  const asked = from === null || repeatsBelow === null ? undefined : await gone(context, from, window.to);
  const found = behind(asked?.deletes ?? [], deletes?.at ?? null);
  const finished: WindowCursor = {
    ...rest,
    field,
    window,
    rememberFrom,
    repeatsBelow,
    done: true,
    ...(asked?.to === undefined ? {} : { deletesTo: asked.to }),
  };
  const info = {
    bytes: 0,
    window: { from: window.from === null ? null : isoOf(window.from), to: isoOf(window.to) },
    rememberFrom,
    ...(repeatsBelow === null ? {} : { repeatsBelow }),
  };
  for (let at = 0; at === 0 || at < found.length; at += PAGE_SIZE) {
    const page = found.slice(at, at + PAGE_SIZE);
    const last = at + PAGE_SIZE >= found.length;
    const next = last ? finished : { ...cursor, deletes: { at: page.at(-1) ?? null } };
    yield { ...info, records: page.map((one) => marker(one, field)), cursor: cursorValue(next) };
  }
  return finished;
}

function marker({ id, value }: Position, field: string): SourceRecord {
  return { Id: id, IsDeleted: true, [field]: value };
}

/** By date, then id; those behind `at`. */
function behind(found: readonly Position[], at: Position | null): readonly Position[] {
  const sorted = [...found].sort((a, b) => order(a, b));
  return at === null ? sorted : sorted.filter((one) => order(one, at) > 0);
}

function order(a: Position, b: Position): number {
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

interface Gone {
  readonly deletes: readonly Position[];
  /** Where the next window has to begin, if before the end of this one. */
  readonly to: Stamp | undefined;
}

async function gone(context: DeletesContext, from: Stamp, to: Stamp): Promise<Gone | undefined> {
  const { object, log, now } = context;
  const reach = stampOf(now - REACH_MS);
  const start = from < reach ? reach : from;
  const warn = (lostTo: Stamp) =>
    log.warn(
      `${object.name}: hard deletes from ${isoOf(from)} to ${isoOf(lostTo)} cannot be told any more; read the object in full once to find them`,
      { code: "SALESFORCE_DELETES_LOST" },
    );
  if (start >= to) {
    warn(to);
    return undefined;
  }
  let listed: Listed;
  try {
    listed = await list(context, Math.floor(msOf(start) / MINUTE), Math.ceil(msOf(to) / MINUTE));
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof AuthError) || !isRefusal(error)) throw error;
    log.warn(`${object.name}: Salesforce does not list its hard deletes (${error.message})`, {
      code: "SALESFORCE_DELETES_UNKNOWN",
    });
    return undefined;
  }
  const lost = from < reach ? reach : from;
  const available = listed.available === undefined ? lost : stampOf(listed.available);
  if (available > from) warn(earliest(available, to));
  const inside = listed.records.filter(({ value }) => value >= start && value < to);
  const covered = stampOf(listed.covered);
  return { deletes: await withoutExisting(context, inside), to: covered < to ? covered : undefined };
}

interface Listed {
  readonly records: readonly Position[];
  /** Epoch ms: earliestDateAvailable. */
  readonly available: number | undefined;
  readonly covered: number;
}

/** `start`, `end`: minutes, since Salesforce cuts off the seconds. Halved where it would be more than 600,000 ids. */
async function list(context: DeletesContext, start: number, end: number): Promise<Listed> {
  const { api, object, signal } = context;
  try {
    const answer = await api.replication(object.name, "deleted", start * MINUTE, end * MINUTE, signal);
    return {
      records: answer.deleted.map(({ id, at }) => ({ id, value: stampOf(at) })),
      available: answer.earliestDateAvailable,
      covered: answer.latestDateCovered ?? end * MINUTE,
    };
  } catch (error) {
    const splittable = error instanceof ConfigError && error.code === TOO_MANY_IDS && end - start > 1;
    if (!splittable) throw error;
  }
  const middle = Math.floor((start + end) / 2);
  const first = await list(context, start, middle);
  const second = await list(context, middle, end);
  return {
    records: [...first.records, ...second.records],
    available: first.available,
    covered: first.covered < middle * MINUTE ? first.covered : second.covered,
  };
}

/** Without those that queryAll still shows: in the recycle bin, or restored from it. */
async function withoutExisting(
  context: DeletesContext,
  found: readonly Position[],
): Promise<readonly Position[]> {
  const { api, object, pageSize, signal } = context;
  const latest = new Map<string, Position>();
  for (const one of found) {
    const before = latest.get(one.id);
    if (before === undefined || before.value < one.value) latest.set(one.id, one);
  }
  const ids = [...latest.keys()];
  for (let at = 0; at < ids.length; at += IDS_PER_QUERY) {
    const some = ids.slice(at, at + IDS_PER_QUERY).map(quote);
    const soql = `SELECT Id FROM ${object.name} WHERE Id IN (${some.join(",")})`;
    let page = await api.query(soql, { pageSize, deleted: true }, signal);
    for (;;) {
      for (const record of page.records) {
        const id: unknown =
          typeof record === "object" && record !== null ? Reflect.get(record, "Id") : undefined;
        if (typeof id === "string") latest.delete(id);
      }
      if (page.next === undefined) break;
      page = await api.next(page.next, { pageSize }, signal);
    }
  }
  return [...latest.values()];
}
