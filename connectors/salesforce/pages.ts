import {
  type Page,
  type SourceRecord,
  TransientError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { carryRefused } from "../../core/http/index.js";
import type { QueryPage, SalesforceApi } from "./api.js";
import { shapeRecords } from "./attributes.js";
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
  readonly pageSize: number;
  /** With deleted records. */
  readonly deleted: boolean;
  /** Relationships that were selected. */
  readonly parents: readonly string[];
  readonly signal: AbortSignal;
  /** Where the query asks for a part of the columns only. */
  readonly wide?: WideRows;
}

/** Dead locators in a row, where each query brings little news, before it is given up. */
const MOST_LOSSES = 10;

/*
 * The pages of one keyset. A page is asked for when the caller comes back for it, that is when it has stored the page
 * before: a kill costs at most one page fetched again.
 *
 *   query --page--> following --page--> following ... --done--> next segment, or the end
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
  for (;;) {
    const query = new QueryPages(reading, keyset, many);
    const failure = yield* query.run();
    if (failure === "many") return "many";
    if (failure === undefined) {
      if (!keyset.advance()) return "complete";
    } else if (failure.code === QUERY_TIMEOUT) {
      if (many !== undefined) return "many";
      if (!keyset.narrow()) throw failure;
    } else {
      losses = query.exact ? 0 : losses + 1;
      if (query.pages === 0 || losses > MOST_LOSSES) throw failure;
    }
  }
}

/** One query and the pages of its locator. */
class QueryPages {
  readonly #reading: Reading;
  readonly #keyset: Keyset;
  readonly #many: number;
  /** Pages handed out, and whether the place moved behind the last record of one. */
  pages = 0;
  exact = false;
  readonly #seen = new Set<string>();
  #lastId: unknown;

  constructor(reading: Reading, keyset: Keyset, many = Number.POSITIVE_INFINITY) {
    this.#reading = reading;
    this.#keyset = keyset;
    this.#many = many;
  }

  /**
   * Ends with the failure that a new query may mend, with undefined when all pages were read, or with "many" when too
   * many records are left for pages.
   */
  async *run(): AsyncGenerator<Page, TransientError | "many" | undefined> {
    const { api, pageSize, deleted, signal, soql } = this.#reading;
    const keyset = this.#keyset;
    let next: string | undefined;
    do {
      let page: QueryPage;
      let shaped: Shaped;
      try {
        page =
          next === undefined
            ? await api.query(soql(keyset), { pageSize, deleted }, signal)
            : await api.next(next, pageSize, signal);
        shaped = await this.#shape(page);
      } catch (error) {
        if (error instanceof TransientError && MENDABLE.has(error.code)) return error;
        throw this.#placed(error);
      }
      const { refused, bytes } = shaped;
      const { records, info, exact } = this.#take(shaped);
      this.exact ||= exact && records.length > 0;
      this.pages++;
      const whole = page.next === undefined && keyset.isLast();
      // Segments but the last end in silence: nothing is to be said before there are records or the end.
      if (page.records.length > 0 || whole) {
        yield {
          records,
          ...(refused.size === 0 ? {} : { refused }),
          cursor: keyset.cursor(whole),
          bytes,
          ...info,
        };
        throwIfCancelled(signal);
      }
      const left = page.totalSize - page.records.length;
      if (next === undefined && page.next !== undefined && left > this.#many) return "many";
      next = this.#follow(page.next);
    } while (next !== undefined);
    return undefined;
  }

  async #shape(page: QueryPage): Promise<Shaped> {
    const { parents, wide } = this.#reading;
    const records = this.#once(shapeRecords(page.records, parents));
    const refused = carryRefused(page.refused, page.records, records);
    const shaped = { records, refused, bytes: page.bytes };
    return wide === undefined ? shaped : wide.complete(shaped, this.#keyset);
  }

  #take({ records, refused }: Shaped): Taken {
    try {
      return this.#keyset.take(records, refused);
    } catch (error) {
      throw this.#placed(error);
    }
  }

  #placed(error: unknown): unknown {
    if (!(error instanceof TransientError) || error.place !== undefined) return error;
    const { place } = this.#reading;
    const fix = "Run the flow again: it resumes behind the last good page. If it stays, ask Salesforce.";
    return new TransientError(error.code, error.message, { place, fix, cause: error.cause });
  }

  /** The locator of the next page, if it is a new one. */
  #follow(next: string | undefined): string | undefined {
    if (next === undefined) return undefined;
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
