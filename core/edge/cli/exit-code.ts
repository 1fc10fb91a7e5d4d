/**
 * Exit codes of every command (design: Commands). Scripts rely on them. Those of errors come from their classes:
 * `exitCodeOf` of core/run.
 */
export const EXIT = {
  done: 0,
  failed: 1,
  configuration: 2,
  cancelled: 130,
} as const;
