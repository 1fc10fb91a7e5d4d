import type { Query } from "../soql/syntax.js";

/** The rows of a job, fixed when it ran. */
export interface JobResult {
  /** With its line end; stands on every page. */
  readonly header: string;
  readonly total: number;
  /** Rows at positions [from, to) as CSV lines. */
  page(from: number, to: number): string | Buffer;
  /** Gives back what `page` lent, once its bytes are sent. */
  release?(page: Buffer): void;
}

/*
 * UploadComplete --a slot is free, after queueMs--> InProgress --after runMs--> JobComplete | Failed
 * UploadComplete, InProgress --PATCH--> Aborted
 */
export type JobState = "UploadComplete" | "InProgress" | "JobComplete" | "Failed" | "Aborted";

export interface Job {
  readonly id: string;
  readonly operation: "query" | "queryAll";
  readonly query: Query;
  readonly object: string;
  /** `67.0`: results are asked for by this version only. */
  readonly version: string;
  readonly createdAt: number;
  /** The pseudo-random order of its chunks. */
  readonly seed: number;
  state: JobState;
  startedAt: number | undefined;
  endedAt: number | undefined;
  message: string | undefined;
  result: JobResult | undefined;
  /** Positions by locator. */
  readonly locators: Map<string, number>;
}
