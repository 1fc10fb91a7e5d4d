import { ConfigError } from "../../core/contracts/index.js";
import type { Answer, Parameter } from "./api.js";
import type { CursorExportState } from "./cursor.js";
import { REFUSED_PARAMETER, TOO_RECENT } from "./errors.js";
import { goesRound, type Item, isItem, itemsOf, unexpected } from "./item.js";
import { type Reading, Sieve, type Step, stepOf, withNewest } from "./reading.js";
import { bucketOf } from "./streams.js";

/** Where a dead cursor is replaced by a start time, that lies so long before what was read: Zendesk's advice. */
const REWIND_S = 3_600;

/*
 * Incremental export, cursor based: tickets and users, in the order of their stamp and id.
 *
 *   by start --page--> by cursor --page--> by cursor ... --end_of_stream--> done: its cursor is the next run's bookmark
 *   by cursor --refused--> by start, an hour before the edge, skipping up to the edge --> by cursor
 *   by start --too recent--> there is nothing yet: stops, and the next run begins here
 *
 * The last page has a cursor like every other. Only end_of_stream says that it is the last, and the cursor of that page is
 * where the next run goes on: a start time taken from the clock would miss what changed while the page was made.
 *
 * `skip` drops what lies before the edge (the newest second handed out) and the ids of the edge itself, which is exactly
 * what a working cursor would have left out.
 */
export async function readCursorExport(
  reading: Reading,
  before: CursorExportState,
  signal: AbortSignal,
): Promise<Step<CursorExportState>> {
  const { spec, place, until } = reading;
  let state = before;
  let answer: Answer;
  try {
    answer = await ask(reading, state, signal);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (state.after === null && error.code === TOO_RECENT) {
      return { ...stepOf(reading, state, [], 0), stops: true };
    }
    if (state.after === null || !REFUSED_PARAMETER.has(error.code)) throw error;
    state = rewound(state);
    reading.log.warn(
      `${spec.name}: Zendesk refuses the stored cursor; reading again from an hour before it`,
      {
        stream: spec.name,
        code: error.code,
      },
    );
    answer = await ask(reading, state, signal);
  }
  const items = itemsOf(answer.body, spec.key, place);
  if (spec.rows === "metricSets") joinMetricSets(reading, answer.body, items);
  const { after, end } = placeOf(answer.body, state, place);

  const refused = answer.refused(spec.key);
  const sieve = new Sieve(spec.cursor, state.edge, refused);
  sieve.take(items, until, state.skip);
  const passedEdge = state.edge === null || (sieve.newest ?? 0) > state.edge.at;
  const edge = sieve.newest === null ? state.edge : sieve.edgeFrom(sieve.newest);
  // At the end of the stream everything before the server's minute was there, however long the read took.
  const complete = end && until === undefined ? Math.max(state.span.to, reading.settled()) : state.span.to;
  const span = { ...withNewest(state.span, sieve.newest), to: complete };
  // What lies beyond the bound was not handed out, so the cursor behind it must not be kept: this page is asked for again.
  const next: CursorExportState =
    sieve.beyond > 0
      ? { ...state, span, edge, skip: true, done: true }
      : after === null
        ? { ...state, span, edge, start: edge?.at ?? state.start, after: null, skip: true, done: true }
        : { ...state, span, edge, after, skip: state.skip && !passedEdge, done: end };
  return stepOf(reading, next, sieve.kept, answer.bytes, refused);
}

function ask(reading: Reading, state: CursorExportState, signal: AbortSignal): Promise<Answer> {
  const { spec, api } = reading;
  return api.get(spec.path, cursorExportParameters(reading, state), bucketOf(spec), signal);
}

export function cursorExportParameters(
  { spec, pageSize }: Pick<Reading, "spec" | "pageSize">,
  { after, start }: Pick<CursorExportState, "after" | "start">,
): Parameter[] {
  return [
    after === null ? ["start_time", String(start)] : ["cursor", after],
    ["per_page", String(pageSize)],
    ...Object.entries(spec.query ?? {}),
  ];
}

/**
 * Zendesk hangs the metric set onto its ticket. Should it come beside the tickets, as other sideloads do, it is joined to
 * them; should it not come at all, that is said, since no records would look like no tickets.
 */
function joinMetricSets({ log, spec }: Reading, body: unknown, items: readonly Item[]): void {
  const beside = isItem(body) ? body.metric_sets : undefined;
  if (Array.isArray(beside)) {
    const byTicket = new Map(beside.filter(isItem).map((set) => [set.ticket_id, set]));
    for (const item of items) {
      const set = item.id === undefined ? undefined : byTicket.get(item.id);
      if (item.metric_set === undefined && set !== undefined) Object.assign(item, { metric_set: set });
    }
  }
  const missing = items.filter((item) => item.metric_set === undefined && item.status !== "deleted").length;
  if (missing > 0) log.warn(`${missing} tickets came without their metric set`, { stream: spec.name });
}

function rewound(state: CursorExportState): CursorExportState {
  const known = state.edge?.at ?? state.span.from;
  const start = known === null ? 0 : Math.max(0, known - REWIND_S);
  return { ...state, after: null, start, skip: state.edge !== null };
}

function placeOf(
  body: unknown,
  state: CursorExportState,
  place: string,
): { readonly after: string | null; readonly end: boolean } {
  if (!isItem(body)) throw unexpected("is no object", place);
  const { after_cursor, after_url, end_of_stream } = body;
  if (typeof end_of_stream !== "boolean") throw unexpected("does not say whether the stream ends", place);
  const after = typeof after_cursor === "string" && after_cursor !== "" ? after_cursor : cursorIn(after_url);
  if (!end_of_stream && after === null) throw unexpected("goes on and has no cursor", place);
  if (!end_of_stream && after === state.after)
    throw goesRound("the export leads to the same page again", place);
  return { after, end: end_of_stream };
}

function cursorIn(url: unknown): string | null {
  if (typeof url !== "string" || !URL.canParse(url)) return null;
  return new URL(url).searchParams.get("cursor");
}
