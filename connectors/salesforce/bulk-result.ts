import {
  type AnswersAhead,
  ConfigError,
  type Log,
  type SourceRecord,
  TransientError,
} from "../../core/contracts/index.js";
import type { BulkColumns } from "./bulk-columns.js";
import { type BulkJobs, type ResultPage, type ResultPlace, resultKey } from "./bulk-jobs.js";
import { BrokenCsv, CsvReader } from "./csv.js";

/** A page of a result as records. */
export interface ResultRecords extends Pick<ResultPage, "bytes" | "locator"> {
  readonly records: readonly SourceRecord[];
}

export interface ResultOptions {
  /** For errors. */
  readonly place: string;
  readonly columns: BulkColumns;
  readonly log: Log;
  /** Most rows of a page. */
  readonly pageSize: number;
  /** Of the next page; one for all results of a read. */
  readonly size: PageRows;
  readonly ahead: AnswersAhead | undefined;
  readonly signal: AbortSignal;
}

/** Rows that a page is asked to hold. */
export interface PageRows {
  rows: number;
}

/** Smallest page that is asked for where larger ones do not arrive. */
const FEWEST_ROWS = 250;
/** A page is kept near this size: the one before shows how long the rows are. */
const PAGE_BYTES = 6 * 1024 * 1024;

/** Fetches and parses the pages of a job's result. */
export class ResultReader {
  readonly #jobs: BulkJobs;
  readonly #options: ResultOptions;
  readonly #values: string[] = [];

  constructor(jobs: BulkJobs, options: ResultOptions) {
    this.#jobs = jobs;
    this.#options = options;
  }

  /**
   * A page of the result, checked against its own account of rows. Where a page breaks off again and again, or is too
   * large, a smaller one may pass: Salesforce cuts its sets anew. TransientError where it does not.
   */
  async page(place: ResultPlace): Promise<ResultRecords> {
    const { pageSize, size, log, signal, ahead } = this.#options;
    for (;;) {
      const asked = size.rows;
      try {
        const page = await this.#jobs.results(place, asked, { signal, ahead });
        const records = this.#records(page);
        if (records.length > 0) {
          const fitting = Math.floor((PAGE_BYTES * records.length) / page.bytes);
          size.rows = Math.max(FEWEST_ROWS, Math.min(pageSize, fitting));
        }
        return { records, bytes: page.bytes, locator: page.locator };
      } catch (error) {
        const code = error instanceof TransientError || error instanceof ConfigError ? error.code : "";
        if (!BROKEN.has(code) || asked <= FEWEST_ROWS) throw error;
        await this.drop(place);
        size.rows = Math.max(FEWEST_ROWS, Math.floor(asked / 2));
        log.info("a page of the Bulk result did not arrive; asking for a smaller one", {
          code,
          rows: size.rows,
        });
      }
    }
  }

  /** Whether this page would be there after a kill. */
  isKept(place: ResultPlace): boolean {
    return this.#options.ahead?.has(resultKey(place)) === true;
  }

  /** The page is stored, or of no use. */
  async drop(place: ResultPlace): Promise<void> {
    await this.#options.ahead?.drop(resultKey(place));
  }

  #records({ csv, rows }: ResultPage): readonly SourceRecord[] {
    const values = this.#values;
    const reader = new CsvReader(csv);
    try {
      const width = reader.next(values);
      const shape = this.#options.columns.shape(values.slice(0, width));
      if (shape === undefined) throw new BrokenCsv("a column that was asked for is missing");
      const records: SourceRecord[] = [];
      for (let count = reader.next(values); count > 0; count = reader.next(values)) {
        if (count !== width) throw new BrokenCsv(`a row has ${count} values instead of ${width}`);
        records.push(shape(values));
      }
      if (rows !== undefined && rows !== records.length) {
        throw new BrokenCsv(`it should hold ${rows} rows and holds ${records.length}`);
      }
      return records;
    } catch (error) {
      if (!(error instanceof BrokenCsv)) throw error;
      const message = `a page of the Bulk result is broken: ${error.message}`;
      throw failure(this.#options.place, BROKEN_PAGE, message, error);
    }
  }
}

const BROKEN_PAGE = "SALESFORCE_BULK_BROKEN_PAGE";
/** A smaller page may pass where these came. */
const BROKEN = new Set([
  BROKEN_PAGE,
  "HTTP_BODY_TOO_LARGE",
  "HTTP_BODY_CUT",
  "HTTP_TIMEOUT",
  "HTTP_BAD_TEXT",
]);

/** What ends a read by Bulk, for the next run to go on with. */
export function failure(place: string, code: string, message: string, cause?: unknown): TransientError {
  return new TransientError(code, message, {
    place,
    fix: "Run the flow again: it goes on behind what was stored. With options.api: rest it does without Bulk.",
    ...(cause === undefined ? {} : { cause }),
  });
}
