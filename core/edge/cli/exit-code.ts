/**
 * Exit codes of every command (design: Commands). Scripts rely on them. Those of errors come from their classes:
 * `exitCodeOf` of core/run.
 */
export const EXIT = {
  done: 0,
  failed: 1,
  configuration: 2,
  /** An alarm fires; the same code as for too many rejected records: someone should look. */
  alarm: 4,
  cancelled: 130,
} as const;
