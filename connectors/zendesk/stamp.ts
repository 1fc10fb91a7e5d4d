/*
 * Zendesk's times are of whole seconds, as ISO text with Z or as epoch seconds; here they are epoch seconds, and records
 * carry the text. Bounds that the engine compares with a record's text are written without the Z: `2026-10-01T12:00:00`
 * is below `2026-10-01T12:00:00Z` and, should a stream ever have fractions, below `2026-10-01T12:00:00.500Z`.
 */

/** Epoch seconds. */
export type Seconds = number;

/** The stamp of an item, rounded down; undefined where it has none that can be read. */
export function secondsOf(value: unknown): Seconds | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? Math.floor(value) : undefined;
  if (typeof value !== "string") return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

/** `2026-10-01T12:00:00`, to compare with stamps as text. */
export function boundOf(at: Seconds): string {
  return new Date(at * 1000).toISOString().slice(0, 19);
}

/** `2026-10-01T12:00:00Z`, as Zendesk writes it. */
export function isoOf(at: Seconds): string {
  return `${boundOf(at)}Z`;
}
