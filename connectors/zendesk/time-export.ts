import { ConfigError, TransientError } from "../../core/contracts/index.js";
import type { Answer, Parameter } from "./api.js";
import type { Span, TimeExportState } from "./cursor.js";
import { TOO_RECENT } from "./errors.js";
import { isItem, itemsOf, unexpected } from "./item.js";
import { type Reading, Sieve, type Step, stepOf, withNewest } from "./reading.js";
import { isoOf, type Seconds } from "./stamp.js";
import { bucketOf } from "./streams.js";

/*
 * Incremental export by time: organizations, ticket events, ticket metric events, articles, in the order of their stamp.
 *
 *   from start --page--> from end_time ... --end_of_stream, or the span's end reached--> done
 *   from start --too recent--> there is nothing yet: stops, and the next run begins here
 *   from start --end_time does not move--> see `advance`
 *
 * A page never splits a second, so it may be longer than asked for. `next_page` is there even at the end and means
 * nothing. The start is inclusive: what was handed out of the second in which the next page begins is kept as the edge
 * and left out there.
 *
 * The newest minute may still be incomplete here: an incremental read leaves it for the next one.
 */
export async function readTimeExport(
  reading: Reading,
  state: TimeExportState,
  signal: AbortSignal,
): Promise<Step<TimeExportState>> {
  const { spec, api, place, incremental } = reading;
  const { start } = state;
  if (incremental && start >= state.span.to) return stepOf(reading, { ...state, done: true }, [], 0);
  let answer: Answer;
  try {
    answer = await api.get(spec.path, timeExportParameters(reading, start), bucketOf(spec), signal);
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== TOO_RECENT) throw error;
    return { ...stepOf(reading, state, [], 0), stops: true };
  }
  const items = itemsOf(answer.body, spec.key, place);
  const isFirst = start === (state.span.from ?? 0);
  const known = incremental && isFirst ? clipped(state.span, reading.settled()) : state.span;
  const bound = incremental ? known.to : reading.until;
  const { end, endTime } = endOf(answer.body, items.length, place);
  const reached = (at: Seconds) => bound !== undefined && at >= bound;
  const refused = answer.refused(spec.key);
  const sieve = new Sieve(spec.cursor, state.edge, refused);
  // A page that ends within the span by Zendesk's own account belongs to it whole, whatever stamps it holds.
  const isInside = endTime !== undefined && bound !== undefined && endTime <= bound;
  sieve.take(items, isInside ? undefined : bound, false);
  const done = end || sieve.beyond > 0 || (endTime !== undefined && reached(endTime));
  const next = done
    ? Math.max(start, endTime ?? start)
    : advance(reading, start, endTime, sieve, items.length);
  const edge = sieve.newest !== null && sieve.newest >= next ? sieve.edgeFrom(next) : null;
  const span = withNewest(known, sieve.newest);
  return stepOf(
    reading,
    { ...state, span, start: next, edge, done: done || reached(next) },
    sieve.kept,
    answer.bytes,
    refused,
  );
}

export function timeExportParameters(
  { spec, pageSize }: Pick<Reading, "spec" | "pageSize">,
  start: Seconds,
): Parameter[] {
  return [["start_time", String(start)], ["per_page", String(pageSize)], ...Object.entries(spec.query ?? {})];
}

/**
 * Zendesk's clock is known since its first answer, and may stand behind ours: the span must not end after its minute. What
 * is remembered begins so much earlier.
 */
function clipped(span: Span, settled: Seconds): Span {
  const to = Math.max(settled, span.from ?? settled);
  if (to >= span.to) return span;
  const remember = span.remember === null ? null : Math.max(span.from ?? 0, span.remember - (span.to - to));
  return { ...span, to, remember };
}

/**
 * Where the next page begins. The end_time, if it moves. If it does not: the newest second of the page, if that is a later
 * one; behind the second, if the page is longer than asked for, which shows that it holds the second whole. Otherwise
 * there may be more of this second than a page shows, and to go on would lose it.
 */
function advance(
  { pageSize, place, spec, settled }: Reading,
  start: Seconds,
  endTime: Seconds | undefined,
  sieve: Sieve,
  length: number,
): Seconds {
  if (endTime !== undefined && endTime > start) return endTime;
  // Not into the future: what is stamped ahead of its time, such as a breach to come, does not tell where the export stands.
  if (sieve.newest !== null && sieve.newest > start && sieve.newest <= settled()) return sieve.newest;
  if (length > pageSize) return start + 1;
  throw new TransientError(
    "ZENDESK_EXPORT_STUCK",
    `the export does not go on behind ${isoOf(start)}: ${length} ${spec.key} of that second, and the same page again`,
    {
      place,
      fix: "Run the flow again later: it goes on at this second. If it stays, ask Zendesk, since to go past it may lose records.",
    },
  );
}

function endOf(
  body: unknown,
  length: number,
  place: string,
): { readonly end: boolean; readonly endTime: Seconds | undefined } {
  if (!isItem(body)) throw unexpected("is no object", place);
  const { end_of_stream, end_time, next_page } = body;
  const endTime = typeof end_time === "number" ? Math.floor(end_time) : startIn(next_page);
  // The article export may not tell its end; then a page without articles is it.
  if (typeof end_of_stream === "boolean") return { end: end_of_stream, endTime };
  if (length > 0 && endTime === undefined) throw unexpected("says neither whether nor where it ends", place);
  return { end: length === 0, endTime };
}

function startIn(url: unknown): Seconds | undefined {
  if (typeof url !== "string" || !URL.canParse(url)) return undefined;
  const start = new URL(url).searchParams.get("start_time");
  return start !== null && /^\d+$/.test(start) ? Number(start) : undefined;
}
