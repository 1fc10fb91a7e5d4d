import {
  ConfigError,
  type Log,
  type RefusedRecord,
  type SourceRecord,
  TransientError,
} from "../../core/contracts/index.js";
import { carryRefused } from "../../core/http/index.js";
import type { QueryPage, SalesforceApi } from "./api.js";
import { shapeRecords } from "./attributes.js";
import { type Columns, columnChunks } from "./column-chunks.js";
import type { Keyset } from "./keyset.js";
import { and, quote, selectText } from "./soql.js";
import { type Part, WideRow } from "./wide-row.js";

/** What is asked of an object whose fields do not fit into one URL. */
export interface WideQuery {
  readonly object: string;
  /** In every chunk: what identifies a record, places it and tells its version. */
  readonly key: readonly string[];
  /** Moves with every change of a record; undefined where the object has no such field. */
  readonly version: string | undefined;
  /** All that a record holds, in its order. */
  readonly names: readonly string[];
  /** Beside the key. */
  readonly columns: Columns;
  /** Pushed down. */
  readonly filter: string | undefined;
}

export interface WideContext {
  /** For errors. */
  readonly place: string;
  readonly api: SalesforceApi;
  readonly log: Log;
  readonly pageSize: number;
  readonly deleted: boolean;
  readonly parents: readonly string[];
  readonly signal: AbortSignal;
}

/** Records of a page, without attributes. */
export interface Shaped {
  readonly records: readonly SourceRecord[];
  readonly refused: QueryPage["refused"];
  readonly bytes: number;
}

/** Conditions grow as a read goes on: a place, the ends of a segment. */
export const GROWTH_BYTES = 512;
/** Ids in one question for records that have changed, at most; `'006xx0000000001AAA',` each. */
const MOST_IDS = 300;
const ID_BYTES = 21;
/** Rounds for records that change again while they are asked for. */
const MOST_ROUNDS = 4;
/** More chunks than this would be a query of a kilobyte each. */
const SMALLEST_ROOM = 1_000;

/*
 * A query that is too long for a URL, as several: each selects the key and a chunk of the columns. A page of the first one
 * sets the records; each of the others asks for as many from the same place on in the same order, which costs one call a
 * page and chunk, and the parts are joined by Id.
 *
 * A record that changes between two of these queries is not where it was, or has another version: it is asked for by its Id,
 * all chunks anew, until they agree.
 *
 *   part missing or of another version --by Id--> not there: deleted meanwhile, and left out as an open query leaves it out
 *                                              -> stamped beyond the window: left to the next one
 *                                              -> all parts of one version: taken
 *                                              -> else once more, a few times; then taken with the newest values under its
 *                                                 oldest stamp, so that the next window brings it again
 *
 * In a settled window every change moves a record beyond the window's end, so none is handed out with two versions in it.
 * A full read has no such end: a record that changes twice in one second, between two chunks, has one stamp for both.
 * Formula and parents' fields change without a stamp, here as everywhere.
 */
export class WideRows {
  readonly #context: WideContext;
  readonly #query: WideQuery;
  readonly #chunks: readonly (readonly string[])[];

  /** ConfigError where not even one column fits. */
  constructor(context: WideContext, query: WideQuery, keyset: Keyset) {
    this.#context = context;
    this.#query = query;
    this.#chunks = chunksOf(context, query, keyset);
  }

  /** Queries of one page. */
  get size(): number {
    return this.#chunks.length;
  }

  /** The query of the first chunk, which sets the records. */
  soql(keyset: Keyset): string {
    const { object, key, filter } = this.#query;
    const fields = [...key, ...(this.#chunks[0] ?? [])];
    return selectText({ object, fields, where: and(filter, keyset.condition()), orderBy: keyset.orderBy });
  }

  /** The records of a page of the first chunk with all their columns; without those that are gone or belong to a later window. */
  async complete(page: Shaped, keyset: Keyset): Promise<Shaped> {
    const rows = new Map<string, WideRow>();
    const order: (WideRow | SourceRecord)[] = [];
    for (const record of page.records) {
      const why = page.refused.get(record);
      const id = this.#idOf(record, why);
      if (id === undefined) order.push(record);
      else if (!keyset.isBeyond(record)) {
        const row = new WideRow({ record, why });
        rows.set(id, row);
        order.push(row);
      }
    }
    const bytes = page.bytes + (await this.#fill(page.records, rows, keyset));
    return this.#joined(order, rows, { ...page, bytes });
  }

  /** Asks for the other chunks from the page's place on, then for what has changed. Resolves to the bytes that came. */
  async #fill(records: readonly SourceRecord[], rows: Map<string, WideRow>, keyset: Keyset): Promise<number> {
    const { object, key, filter, version } = this.#query;
    if (rows.size === 0) return 0;
    const where = and(filter, keyset.conditionFrom([...rows.values()].map(({ first }) => first)));
    let bytes = 0;
    for (const columns of this.#chunks.slice(1)) {
      const fields = [...key, ...columns];
      const soql = selectText({ object, fields, where, orderBy: keyset.orderBy, limit: records.length });
      const answer = await this.#ask(soql);
      bytes += answer.bytes;
      for (const [id, part] of answer.parts) rows.get(id)?.add(part);
    }
    let open = new Map([...rows].filter(([, row]) => !row.isWhole(this.#chunks.length, version)));
    for (let round = 0; open.size > 0 && round < MOST_ROUNDS; round++) {
      const answer = await this.#askAgain(open, rows, keyset);
      bytes += answer.bytes;
      open = answer.open;
    }
    if (open.size > 0) {
      this.#context.log.warn(
        `${this.#context.place}: records changed again and again while their columns were read in chunks; they are taken as they are`,
        { code: "SALESFORCE_CHUNKS_DIFFER", records: open.size },
      );
    }
    return bytes;
  }

  /** All chunks of these records by their ids. What is gone or beyond the window leaves `rows`. `open`: do not agree yet. */
  async #askAgain(
    wanted: Map<string, WideRow>,
    rows: Map<string, WideRow>,
    keyset: Keyset,
  ): Promise<{ readonly open: Map<string, WideRow>; readonly bytes: number }> {
    const { chunks, idsPerQuery } = this.#chunksById(wanted.size);
    for (const row of wanted.values()) row.clear();
    let bytes = 0;
    for (const columns of chunks) {
      const missing = new Map(wanted);
      let stray: RefusedRecord | undefined;
      for (const ids of groupsOf([...wanted.keys()], idsPerQuery)) {
        const answer = await this.#ask(this.#soqlById(columns, ids));
        bytes += answer.bytes;
        stray ??= answer.stray;
        for (const [id, part] of answer.parts) {
          wanted.get(id)?.add(part);
          missing.delete(id);
        }
      }
      for (const [id, row] of wanted) {
        const isLater = !missing.has(id) && keyset.isBeyond(row.last);
        if (missing.has(id) && stray !== undefined) row.refuse(stray);
        else if (missing.has(id) || isLater) rows.delete(id);
        else continue;
        wanted.delete(id);
      }
    }
    const { version } = this.#query;
    const open = new Map([...wanted].filter(([, row]) => !row.isWhole(chunks.length, version)));
    return { open, bytes };
  }

  /** The more ids, the fewer columns. */
  #chunksById(count: number): {
    readonly chunks: readonly (readonly string[])[];
    readonly idsPerQuery: number;
  } {
    const { api, deleted } = this.#context;
    const free = api.room(this.#soqlById([], []), { deleted });
    for (let ids = Math.min(count, MOST_IDS); ; ids = Math.ceil(ids / 2)) {
      const chunks = columnChunks(this.#query.columns, free - ids * ID_BYTES);
      if (typeof chunks !== "string")
        return { chunks: chunks.length === 0 ? [[]] : chunks, idsPerQuery: ids };
      if (ids === 1) throw tooLong(this.#context.place, chunks);
    }
  }

  /** Without the filter: a changed record that does not pass it any more is the engine's to leave out. */
  #soqlById(columns: readonly string[], ids: readonly string[]): string {
    const { object, key } = this.#query;
    const where = `Id IN (${ids.map(quote).join(",")})`;
    return selectText({ object, fields: [...key, ...columns], where, orderBy: [] });
  }

  /** All pages of a query, by Id. `stray`: why a record of them cannot be told by its Id. */
  async #ask(soql: string): Promise<{
    readonly parts: ReadonlyMap<string, Part>;
    readonly stray: RefusedRecord | undefined;
    readonly bytes: number;
  }> {
    const { api, pageSize, deleted, parents, signal } = this.#context;
    const parts = new Map<string, Part>();
    const seen = new Set<string>();
    let stray: RefusedRecord | undefined;
    let bytes = 0;
    let page = await api.query(soql, { pageSize, deleted }, signal);
    for (;;) {
      const records = shapeRecords(page.records, parents);
      const refused = carryRefused(page.refused, page.records, records);
      bytes += page.bytes;
      for (const record of records) {
        const why = refused.get(record);
        const id = this.#idOf(record, why);
        if (id === undefined) stray ??= why;
        else parts.set(id, { record, why });
      }
      if (page.next === undefined) return { parts, stray, bytes };
      if (seen.has(page.next)) {
        throw new TransientError(
          "SALESFORCE_REPEATED_PAGE",
          "Salesforce answered with a page that was read before",
          { place: this.#context.place, fix: "Run the flow again: it resumes behind the last record." },
        );
      }
      seen.add(page.next);
      page = await api.next(page.next, { pageSize }, signal);
    }
  }

  /** Undefined where a record's key is in doubt, so that nothing can be joined to it. */
  #idOf(record: SourceRecord, why: RefusedRecord | undefined): string | undefined {
    if (why?.doubtful.some((name) => this.#query.key.includes(name)) === true) return undefined;
    if (typeof record.Id === "string") return record.Id;
    throw new TransientError("SALESFORCE_UNEXPECTED_ANSWER", "a record has no Id to place it by");
  }

  #joined(
    order: readonly (WideRow | SourceRecord)[],
    rows: ReadonlyMap<string, WideRow>,
    page: Shaped,
  ): Shaped {
    const { names, version } = this.#query;
    const left = new Set(rows.values());
    const refused = new Map<SourceRecord, RefusedRecord>();
    const records: SourceRecord[] = [];
    for (const one of order) {
      if (!(one instanceof WideRow)) {
        const why = page.refused.get(one);
        if (why !== undefined) refused.set(one, why);
        records.push(one);
      } else if (left.has(one)) {
        const record = one.joined(names, version);
        if (one.why !== undefined) refused.set(record, one.why);
        records.push(record);
      }
    }
    return { ...page, records, refused };
  }
}

function chunksOf(context: WideContext, query: WideQuery, keyset: Keyset): readonly (readonly string[])[] {
  const { api, deleted, place } = context;
  const where = and(query.filter, keyset.condition());
  const bare = selectText({ object: query.object, fields: query.key, where, orderBy: keyset.orderBy });
  const room = api.room(bare, { deleted }) - GROWTH_BYTES;
  if (room < SMALLEST_ROOM) throw tooLong(place);
  const chunks = columnChunks(query.columns, room);
  if (typeof chunks === "string") throw tooLong(place, chunks);
  return chunks;
}

function tooLong(place: string, parent?: string): ConfigError {
  return new ConfigError(
    "SALESFORCE_QUERY_TOO_LONG",
    parent === undefined
      ? "the filter is too long for a URL"
      : `the fields of ${parent} alone are too long for a URL`,
    {
      place,
      fix: parent === undefined ? "Shorten the filter." : `Name fewer fields of ${parent} in map.`,
    },
  );
}

function groupsOf(ids: readonly string[], size: number): string[][] {
  const groups: string[][] = [];
  for (let at = 0; at < ids.length; at += size) groups.push(ids.slice(at, at + size));
  return groups;
}
