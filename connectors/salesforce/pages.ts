import { type Page, TransientError, throwIfCancelled } from "../../core/contracts/index.js";
import type { QueryPage, SalesforceApi } from "./api.js";
import { DEAD_LOCATOR, QUERY_TIMEOUT } from "./errors.js";
import type { Keyset } from "./keyset.js";
import { shapeRecords } from "./shape.js";

/** A query but for its place: the keyset knows that. */
export interface Reading {
  readonly api: SalesforceApi;
  /** The query that goes on behind the keyset's place. */
  readonly soql: (keyset: Keyset) => string;
  readonly pageSize: number;
  /** Relationships that were selected. */
  readonly parents: readonly string[];
  readonly signal: AbortSignal;
}

/*
 * The pages of one keyset. While the caller works on a page the next one is on its way, one at most, so that memory
 * holds two.
 *
 *   query --page--> following --page--> following ... --done--> next segment, or the end
 *   following --dead locator--> query behind the place reached   (once for each place)
 *   either --query timeout--> query for half of what is left     (as often as the keyset allows)
 *
 * The last page carries the cursor that says done, and is empty where nothing was found.
 */
export async function* readPages(reading: Reading, keyset: Keyset): AsyncGenerator<Page> {
  const stop = new AbortController();
  const signal = AbortSignal.any([reading.signal, stop.signal]);
  let lostAt: string | undefined;
  try {
    for (;;) {
      const pages = new QueryPages({ ...reading, signal }, keyset);
      const failure = yield* pages.run();
      if (failure === undefined) {
        if (!keyset.advance()) return;
      } else if (failure.code === DEAD_LOCATOR) {
        if (lostAt === keyset.place()) throw failure;
        lostAt = keyset.place();
      } else if (!keyset.narrow()) {
        throw failure;
      }
    }
  } finally {
    // The caller may have left while a page was on its way.
    stop.abort();
  }
}

/** One query and the pages of its locator. */
class QueryPages {
  readonly #reading: Reading;
  readonly #keyset: Keyset;
  readonly #seen = new Set<string>();

  constructor(reading: Reading, keyset: Keyset) {
    this.#reading = reading;
    this.#keyset = keyset;
  }

  /** Ends with the failure that a new query may mend, or with undefined when all pages were read. */
  async *run(): AsyncGenerator<Page, TransientError | undefined> {
    const { api, pageSize, parents, signal, soql } = this.#reading;
    const keyset = this.#keyset;
    let coming: Promise<QueryPage> | undefined = api.query(soql(keyset), pageSize, signal);
    while (coming !== undefined) {
      let page: QueryPage;
      try {
        page = await coming;
      } catch (error) {
        if (error instanceof TransientError && MENDABLE.has(error.code)) return error;
        throw error;
      }
      coming = this.#follow(page.next);
      const { records, repeated } = keyset.take(shapeRecords(page.records, parents));
      if (repeated) throw this.#goesRound();
      const whole = page.next === undefined && keyset.isLast();
      // Segments but the last end in silence: nothing is to be said before there are records or the end.
      if (page.records.length > 0 || whole) {
        yield { records, cursor: keyset.cursor(whole), bytes: page.bytes, ...keyset.pageInfo };
        throwIfCancelled(signal);
      }
    }
    return undefined;
  }

  #follow(next: string | undefined): Promise<QueryPage> | undefined {
    if (next === undefined) return undefined;
    const { api, pageSize, signal } = this.#reading;
    if (this.#seen.has(next)) throw this.#goesRound();
    this.#seen.add(next);
    const coming = api.next(next, pageSize, signal);
    // Awaited with the next page; until then its failure must not count as unhandled.
    coming.catch(() => undefined);
    return coming;
  }

  #goesRound(): TransientError {
    return new TransientError(
      "SALESFORCE_REPEATED_PAGE",
      "Salesforce answered with a page that was read before",
      {
        place: this.#keyset.place(),
        fix: "Run the flow again: it resumes behind the last record.",
      },
    );
  }
}

const MENDABLE: ReadonlySet<string> = new Set([DEAD_LOCATOR, QUERY_TIMEOUT]);
