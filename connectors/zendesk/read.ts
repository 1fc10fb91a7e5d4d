import {
  AuthError,
  type Clock,
  ConfigError,
  type Log,
  type Page,
  type ReadRequest,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { readAhead } from "./ahead.js";
import type { ZendeskApi } from "./api.js";
import { readOptions } from "./config.js";
import {
  type CursorExportState,
  cursorValue,
  firstSpan,
  type ListState,
  nextSpan,
  pageInfo,
  parseState,
  type Span,
  type State,
  type TimeExportState,
} from "./cursor.js";
import { readCursorExport } from "./cursor-export.js";
import { CUSTOM_PREFIX, type CustomFields } from "./custom-fields.js";
import { isOfOneStream, reasonOf } from "./errors.js";
import { ListReader } from "./list.js";
import type { Reading, Step } from "./reading.js";
import { createShaper } from "./shape.js";
import { isoOf, type Seconds } from "./stamp.js";
import { type StreamSpec, streamNamed } from "./streams.js";
import { readTimeExport } from "./time-export.js";

/** What reading needs of its connection. */
export interface ReadContext {
  readonly api: ZendeskApi;
  readonly custom: CustomFields;
  readonly customColumns: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where a read begins. */
export type Start =
  | { readonly kind: "state"; readonly state: State; readonly resumed: boolean }
  /** Everything that was asked for is read, or too recent to be there: the state says where the next read begins. */
  | { readonly kind: "nothing"; readonly state: State };

/** The pages of a read; see cursor.ts for where it stands between them. */
export async function* readStream(context: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  throwIfCancelled(request.signal);
  const reading = await prepare(context, request);
  const start = startOf(reading, request);
  if (start.kind === "nothing") {
    yield {
      records: [],
      cursor: cursorValue(start.state),
      bytes: 0,
      ...pageInfo(start.state.span, reading.incremental),
    };
    return;
  }
  const end = yield* readPages(reading, start.state, request.signal);
  // The span of an earlier run is complete; what came since then follows. An export by cursor went on to now already.
  if (!start.resumed || !end.done || !reading.incremental || end.paging === "cursorExport") return;
  const next = nextState(reading, end, request.lookbackMs);
  if (next !== undefined) yield* readPages(reading, next, request.signal);
}

function readPages(reading: Reading, state: State, signal: AbortSignal): AsyncGenerator<Page, State> {
  const available = <S extends State>(step: (state: S, signal: AbortSignal) => Promise<Step<S>>) => {
    return (at: S, either: AbortSignal) =>
      step(at, either).catch((error: unknown): never => {
        throw unavailable(reading, error);
      });
  };
  switch (state.paging) {
    case "cursorExport":
      return readAhead<CursorExportState>(
        state,
        available((at, either) => readCursorExport(reading, at, either)),
        signal,
      );
    case "timeExport":
      return readAhead<TimeExportState>(
        state,
        available((at, either) => readTimeExport(reading, at, either)),
        signal,
      );
    case "list": {
      const list = new ListReader(reading);
      return readAhead<ListState>(
        state,
        available((at, either) => list.step(at, either)),
        signal,
      );
    }
  }
}

/** A refusal of the stream itself, in words that say what it takes; everything else as it is. */
function unavailable({ api, spec }: Reading, error: unknown): unknown {
  if (!isOfOneStream(error, api.accountExists)) return error;
  const Kind = error instanceof AuthError ? AuthError : ConfigError;
  return new Kind(
    "ZENDESK_STREAM_UNAVAILABLE",
    `${spec.name} cannot be read by this connection: ${reasonOf(error)}`,
    {
      ...(error.place === undefined ? {} : { place: error.place }),
      fix: `It needs ${spec.needs ?? "the right to see it"}, and a token whose scopes allow it; \`sluice discover\` shows what can be read.`,
      cause: error,
    },
  );
}

/** The request checked against the stream. */
export async function prepare(context: ReadContext, request: ReadRequest): Promise<Reading> {
  const { api, custom, log } = context;
  const spec = streamNamed(request.stream);
  const { pageSize, settle } = readOptions(request.options);
  // Of a path into a json column the column is needed.
  const wanted = new Set(["id", ...request.fields.map((name) => name.split(".")[0] ?? name)]);
  if (spec.cursor !== undefined) wanted.add(spec.cursor);
  const asksCustom =
    context.customColumns &&
    spec.custom !== undefined &&
    [...wanted].some((name) => name.startsWith(CUSTOM_PREFIX));
  const columns = asksCustom && spec.custom ? await custom.columns(spec.custom, request.signal) : [];
  return {
    spec,
    api,
    log,
    shaper: createShaper(spec, wanted, columns, log),
    incremental: request.cursorField !== undefined,
    pageSize,
    until: request.to === undefined ? undefined : Math.ceil(request.to / 1000),
    settled: () => Math.floor((api.now() - settle) / 1000),
    place: `zendesk ${spec.name}`,
  };
}

export function startOf(reading: Reading, request: ReadRequest): Start {
  const { spec, incremental } = reading;
  const state = request.cursor === undefined ? undefined : parseState(request.cursor, spec.paging);
  if (state === undefined) return firstStart(reading, request);
  if (!state.done) return { kind: "state", state, resumed: true };
  if (!incremental) {
    return request.resumes === true ? { kind: "nothing", state } : firstStart(reading, request);
  }
  const next = nextState(reading, state, request.lookbackMs);
  return next === undefined ? { kind: "nothing", state } : { kind: "state", state: next, resumed: false };
}

function firstStart(reading: Reading, request: ReadRequest): Start {
  const { spec, incremental, until } = reading;
  const from = request.from === undefined ? undefined : Math.ceil(request.from / 1000);
  if (from !== undefined && until !== undefined && from >= until) {
    throw new ConfigError(
      "ZENDESK_EMPTY_WINDOW",
      `the window from ${isoOf(from)} to ${isoOf(until)} is empty`,
      { fix: "Let start (or --from) lie before --to." },
    );
  }
  const end = endOf(reading);
  const tooRecent = from !== undefined && from >= end;
  const lookback = incremental ? Math.ceil(request.lookbackMs / 1000) : 0;
  const span = firstSpan(from, tooRecent ? from : end, lookback);
  const state = stateOf(spec, span);
  return tooRecent && spec.cursor !== undefined
    ? { kind: "nothing", state }
    : { kind: "state", state, resumed: false };
}

/** The end of a span: what is complete by now, or what the flow asks for. */
function endOf({ settled, until }: Reading): Seconds {
  return Math.min(settled(), until ?? Number.POSITIVE_INFINITY);
}

/** The state behind a finished one; undefined where no time has passed between them. */
function nextState(reading: Reading, done: State, lookbackMs: number): State | undefined {
  const end = endOf(reading);
  if (end <= done.span.to) return undefined;
  const span = nextSpan(done.span, end, Math.ceil(lookbackMs / 1000));
  if (done.paging !== "cursorExport" || (lookbackMs > 0 && done.span.remember !== null)) {
    return stateOf(reading.spec, span);
  }
  // The cursor of the last page is exact: nothing comes twice behind it.
  return { ...done, span: { ...span, repeats: null }, done: false };
}

function stateOf(spec: StreamSpec, span: Span): State {
  const start = span.from ?? 0;
  switch (spec.paging) {
    case "cursorExport":
      return { paging: "cursorExport", span, after: null, start, edge: null, skip: false, done: false };
    case "timeExport":
      return { paging: "timeExport", span, start, edge: null, done: false };
    case "list":
      return { paging: "list", span, after: null, page: null, done: false };
  }
}
