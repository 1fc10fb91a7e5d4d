import { ConfigError, type SourceRecord } from "../../core/contracts/index.js";
import type { AheadJob, Delivered, JobPlace } from "./cursor.js";
import { IdSet, idPiece } from "./id-set.js";

/** Text of all ids of a segment at most, in a cursor that is stored with every page: over a million ids. */
const MOST_TEXT = 3 * 1024 * 1024;

/**
 * How far a segment was read in no order: the job, and the ids that were handed out. While the same job is read on, its
 * locator is all that counts. When another query takes its place (the job is gone, or Bulk is refused), the ids tell
 * which of its records came already.
 */
export class JobProgress {
  job: JobPlace | undefined;
  /** Jobs of the segments behind, in order. */
  ahead: readonly AheadJob[];
  #delivered: Delivered | undefined;
  #text = 0;
  #skip: IdSet | undefined;

  constructor(from: {
    readonly job?: JobPlace | undefined;
    readonly ahead?: readonly AheadJob[] | undefined;
    readonly delivered?: Delivered | undefined;
  }) {
    this.job = from.job;
    this.ahead = from.ahead ?? [];
    this.#delivered = from.delivered;
    this.#text = (from.delivered ?? []).reduce((sum, piece) => sum + piece.length, 0);
    if (from.job?.anew === true) this.#skip = new IdSet(from.delivered ?? []);
  }

  /** For the cursor. */
  get delivered(): Delivered | undefined {
    return this.#delivered;
  }

  /** A job that reads the segment from its beginning. */
  begin(query: string, id: string): void {
    this.job = { query, id, locator: null, rows: 0, ...(this.#skip === undefined ? {} : { anew: true }) };
  }

  /** Notes records that are handed out. */
  add(records: readonly SourceRecord[]): void {
    if (records.length === 0 || this.#delivered === null) return;
    const ids = records.map(({ Id }) => (typeof Id === "string" ? Id : ""));
    const piece = idPiece(ids);
    this.#text += piece?.length ?? 0;
    // A list that is in use is not given up.
    const listable = piece !== undefined && (this.#text <= MOST_TEXT || this.#skip !== undefined);
    this.#delivered = listable ? [...(this.#delivered ?? []), piece] : null;
  }

  /** From now on another query than that of the job is read. ConfigError where it cannot be told what came already. */
  leaveJob(place: string): void {
    this.job = undefined;
    if (this.#delivered === null) {
      throw new ConfigError(
        "SALESFORCE_JOB_LOST",
        "the Bulk job is gone, and too many of its records were loaded to list them",
        { place, fix: "Run the flow with --full to begin anew." },
      );
    }
    if (this.#delivered !== undefined && this.#delivered.length > 0) this.#skip = new IdSet(this.#delivered);
  }

  /** Those that were not handed out before. */
  unseen(records: readonly SourceRecord[]): readonly SourceRecord[] {
    const skip = this.#skip;
    if (skip === undefined) return records;
    return records.filter(({ Id }) => typeof Id !== "string" || !skip.has(Id));
  }

  /** The segment is complete. The next one begins with the job that was made for it, if there is one. */
  next(): void {
    const [first, ...rest] = this.ahead;
    this.job = undefined;
    this.ahead = rest;
    this.#delivered = undefined;
    this.#text = 0;
    this.#skip = undefined;
    if (first !== undefined) this.begin(first.query, first.id);
  }
}
