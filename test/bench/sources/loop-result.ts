/** What a loop that reads a stream to its end prints as JSON. */
export interface LoopResult {
  readonly records: number;
  /** From the first request to the last record. */
  readonly seconds: number;
}
