import {
  type AnswersAhead,
  type Page,
  type SourceRecord,
  TransientError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { Ahead, carryRefused } from "../../core/http/index.js";
import type { QueryPage, SalesforceApi } from "./api.js";
import { shapeRecords } from "./attributes.js";
import type { NextPage } from "./cursor.js";
import { DEAD_LOCATOR, QUERY_TIMEOUT } from "./errors.js";
import type { Keyset, Taken } from "./keyset.js";
import type { Shaped, WideRows } from "./wide.js";

/** A query but for its place: the keyset knows that. */
export interface Reading {
  /** For errors: `salesforce Account`. */
  readonly place: string;
  readonly api: SalesforceApi;
  /** The query that goes on behind the keyset's place. */
  readonly soql: (keyset: Keyset) => string;
  /** Digest of the same without a place. */
  readonly query: string;
  readonly pageSize: number;
  /** With deleted records. */
  readonly deleted: boolean;
  /** Relationships that were selected. */
  readonly parents: readonly string[];
  /** Where pages go that are fetched ahead; undefined: none is. */
  readonly ahead: AnswersAhead | undefined;
  readonly signal: AbortSignal;
  /** Where the query asks for a part of the columns only. */
  readonly wide?: WideRows;
}

/** Dead locators in a row, where each query brings little news, before it is given up. */
const MOST_LOSSES = 10;

/*
 * The pages of one keyset. The next one is fetched while the caller works on the last, provided that the answer of the last is
 * kept on disk and its address is in a stored cursor: then a kill costs at most one page fetched again, unless the next run is
 * long in coming. Otherwise it is asked for when the caller comes back, that is when it has stored the page before; so it is with
 * the first page of a query.
 *
 *   query, or the kept answer that the cursor names --page--> following --page--> following ... --done--> next segment, or the end
 *   following --dead locator--> query behind the place reached   (not without a page in between)
 *   either --query timeout--> query for half of what is left     (as often as the keyset allows)
 *   query --first page, more than `many` behind it; or query timeout--> the caller, for another way to read the rest
 *
 * The last page carries the cursor that says done, and is empty where nothing was found. Without `many` all is read.
 */
export async function* readPages(
  reading: Reading,
  keyset: Keyset,
  many?: number,
): AsyncGenerator<Page, "complete" | "many"> {
  let losses = 0;
  let resumed = keyset.next;
  for (;;) {
    keyset.next = undefined;
    const query = new QueryPages(reading, keyset, many);
    const failure = yield* query.run(resumed);
    // A locator of an earlier run may be dead by now.
    const mayBeDead = resumed !== undefined;
    resumed = undefined;
    if (failure === "many") return "many";
    if (failure === undefined) {
      if (!keyset.advance()) return "complete";
    } else if (failure.code === QUERY_TIMEOUT) {
      if (many !== undefined) return "many";
      if (!keyset.narrow()) throw failure;
    } else {
      losses = query.exact ? 0 : losses + 1;
      if ((query.pages === 0 && !mayBeDead) || losses > MOST_LOSSES) throw failure;
    }
  }
}

/** One query and the pages of its locator. */
class QueryPages {
  readonly #reading: Reading;
  readonly #keyset: Keyset;
  readonly #many: number;
  /** Ends what is fetched ahead. */
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  /** Pages handed out, and whether the place moved behind the last record of one. */
  pages = 0;
  exact = false;
  readonly #seen = new Set<string>();
  #lastId: unknown;

  constructor(reading: Reading, keyset: Keyset, many = Number.POSITIVE_INFINITY) {
    this.#reading = reading;
    this.#keyset = keyset;
    this.#many = many;
    this.#signal = AbortSignal.any([reading.signal, this.#left.signal]);
  }

  /**
   * Ends with the failure that a new query may mend, with undefined when all pages were read, or with "many" when too
   * many records are left for pages. `resumed`: begins with this page, if its answer was kept.
   */
  async *run(resumed?: NextPage): AsyncGenerator<Page, TransientError | "many" | undefined> {
    try {
      return yield* this.#pages(resumed?.query === this.#reading.query ? resumed.path : undefined);
    } finally {
      this.#left.abort();
    }
  }

  async *#pages(resumed: string | undefined): AsyncGenerator<Page, TransientError | "many" | undefined> {
    const { query, signal } = this.#reading;
    const keyset = this.#keyset;
    let path = resumed !== undefined && this.#isKept(resumed) ? this.#follow(resumed) : undefined;
    // A stored cursor leads to it.
    let isStored = path !== undefined;
    let coming = this.#fetch(path);
    for (;;) {
      let page: QueryPage;
      let taken: Taken;
      let shaped: Shaped;
      try {
        page = await coming;
        shaped = await this.#shape(page);
        taken = keyset.take(shaped.records, shaped.refused);
      } catch (error) {
        await this.#drop(path);
        if (error instanceof TransientError && MENDABLE.has(error.code)) return error;
        throw this.#placed(error);
      }
      const { refused, bytes } = shaped;
      const { records, info, exact } = taken;
      this.exact ||= exact && records.length > 0;
      this.pages++;
      const whole = page.next === undefined && keyset.isLast();
      const left = page.totalSize - page.records.length;
      const isMany = path === undefined && page.next !== undefined && left > this.#many;
      const next = isMany || this.#isOld(page.next) ? undefined : page.next;
      keyset.next =
        next === undefined || this.#reading.ahead === undefined ? undefined : { query, path: next };
      const mayGo = isStored && this.#isKept(path);
      const ahead = next !== undefined && mayGo ? new Ahead(this.#fetch(next)) : undefined;
      // Segments but the last end in silence: nothing is to be said before there are records or the end.
      isStored = page.records.length > 0 || whole;
      if (isStored) {
        yield {
          records,
          ...(refused.size === 0 ? {} : { refused }),
          cursor: keyset.cursor(whole),
          bytes,
          ...info,
        };
      }
      if (isStored) await this.#drop(path);
      throwIfCancelled(signal);
      if (isMany) return "many";
      if (page.next === undefined) return undefined;
      path = this.#follow(page.next);
      coming = ahead?.coming ?? this.#fetch(path);
    }
  }

  /** A page of the locator, or the first one. */
  #fetch(path: string | undefined): Promise<QueryPage> {
    const { api, pageSize, deleted, soql, ahead } = this.#reading;
    return path === undefined
      ? api.query(soql(this.#keyset), { pageSize, deleted }, this.#signal)
      : api.next(path, { pageSize, keep: ahead && { answers: ahead, key: this.#key(path) } }, this.#signal);
  }

  #key(path: string): string {
    return `${this.#reading.query} ${path}`;
  }

  #isKept(path: string | undefined): boolean {
    return path !== undefined && this.#reading.ahead?.has(this.#key(path)) === true;
  }

  async #drop(path: string | undefined): Promise<void> {
    if (path !== undefined) await this.#reading.ahead?.drop(this.#key(path));
  }

  async #shape(page: QueryPage): Promise<Shaped> {
    const { parents, wide } = this.#reading;
    const records = this.#once(shapeRecords(page.records, parents));
    const refused = carryRefused(page.refused, page.records, records);
    const shaped = { records, refused, bytes: page.bytes };
    return wide === undefined ? shaped : wide.complete(shaped, this.#keyset);
  }

  #placed(error: unknown): unknown {
    if (!(error instanceof TransientError) || error.place !== undefined) return error;
    const { place } = this.#reading;
    const fix = "Run the flow again: it resumes behind the last good page. If it stays, ask Salesforce.";
    return new TransientError(error.code, error.message, { place, fix, cause: error.cause });
  }

  #isOld(next: string | undefined): boolean {
    return next !== undefined && this.#seen.has(next);
  }

  /** The locator of the next page, which must be a new one. */
  #follow(next: string): string {
    if (this.#seen.has(next)) throw this.#goesRound();
    this.#seen.add(next);
    return next;
  }

  /** A result holds each record once: a page that ends with the record that ended the page before is that page. */
  #once(records: readonly SourceRecord[]): readonly SourceRecord[] {
    const id = records.at(-1)?.Id;
    if (id !== undefined && id === this.#lastId) throw this.#goesRound();
    this.#lastId = id;
    return records;
  }

  #goesRound(): TransientError {
    return new TransientError(
      "SALESFORCE_REPEATED_PAGE",
      "Salesforce answered with a page that was read before",
      {
        place: this.#reading.place,
        fix: "Run the flow again: it resumes behind the last record.",
      },
    );
  }
}

const MENDABLE: ReadonlySet<string> = new Set([DEAD_LOCATOR, QUERY_TIMEOUT]);
