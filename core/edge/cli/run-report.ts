import type { RunError, RunState } from "../../contracts/index.js";
import type { RunResult } from "../../run/types.js";
import type { Failure } from "./failure.js";
import type { Output } from "./output.js";
import { bytesText, countText, durationText, plural, timeText } from "./quantity.js";
import { table } from "./table.js";

/** One run as `sluice run --json` and `sluice runs --json` print it. The first keys are fixed (design: Commands). */
export interface RunDocument {
  readonly flow: string;
  /** Null where the flow was refused before a run began. */
  readonly run: string | null;
  readonly status: RunState["status"];
  readonly trigger: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly window: RunState["window"];
  readonly records: RunState["records"];
  readonly sinks: readonly {
    readonly connection: string;
    readonly target: string;
    readonly loads: number;
    readonly records: number;
    readonly bytes: number;
    readonly files: RunState["sinks"][number]["files"];
    readonly deadLettered: number;
  }[];
  readonly apiCalls: number;
  readonly error: RunError | null;
  /** Read again after a crash or behind the cursor, and skipped. Not part of `records.fetched`. */
  readonly repeated: number;
  /** Pages read from the source and stored. */
  readonly pages: number;
  /** Bytes read from the source, unpacked. */
  readonly bytes: number;
  /** Delivered by this run on behalf of earlier ones that had left it queued. */
  readonly earlier?: RunResult["earlier"];
}

export function runDocument(state: RunState, output: Output, earlier?: RunResult["earlier"]): RunDocument {
  const { flow, run, status, trigger, startedAt, endedAt, window, records, apiCalls } = state;
  return {
    flow,
    run,
    status,
    trigger,
    startedAt,
    endedAt,
    window,
    records,
    sinks: state.sinks.map(({ connection, target, loads, records: loaded, bytes, files, deadLettered }) => ({
      connection,
      target,
      loads,
      records: loaded,
      bytes,
      files,
      deadLettered,
    })),
    apiCalls,
    error: output.redacted(state.error),
    repeated: state.repeated,
    pages: state.pages,
    bytes: state.bytes,
    ...(earlier === undefined ? {} : { earlier }),
  };
}

/** A flow that was refused before it could begin a run: another process runs it, a connection is unknown. */
export function refusedDocument(flow: string, trigger: string, failure: Failure): RunDocument {
  const { class: kind, code, message, place, fix } = failure;
  return {
    flow,
    run: null,
    status: failure.class === "cancelled" ? "cancelled" : "failed",
    trigger,
    startedAt: null,
    endedAt: null,
    window: { from: null, to: null },
    records: { fetched: 0, filtered: 0, dropped: 0, deadLettered: 0, loaded: 0, queued: 0 },
    sinks: [],
    apiCalls: 0,
    error: {
      class: kind,
      code,
      message,
      ...(place === undefined ? {} : { place }),
      ...(fix === undefined ? {} : { fix }),
    },
    repeated: 0,
    pages: 0,
    bytes: 0,
  };
}

const STATUS_STYLE = { succeeded: "green", failed: "red", cancelled: "yellow", running: "cyan" } as const;

/** `succeeded`, in its colour. */
export function statusText(status: RunState["status"], output: Output): string {
  return output.paint(STATUS_STYLE[status], status);
}

/** What a person wants to know of a finished run: a few lines. */
export function runText(document: RunDocument, output: Output): string {
  const { records } = document;
  const lasted =
    document.startedAt === null || document.endedAt === null
      ? ""
      : ` in ${durationText(Date.parse(document.endedAt) - Date.parse(document.startedAt))}`;
  const lines = [`${output.paint("bold", document.flow)}: ${statusText(document.status, output)}${lasted}`];
  if (document.error?.retryAt !== undefined)
    lines.push(
      `  parked   until ${timeText(document.error.retryAt)} (UTC): a run after that goes on where this one stopped`,
    );
  if (document.run !== null) {
    lines.push(
      `  run      ${document.run}, ${plural(document.apiCalls, "API call")}, ${bytesText(document.bytes)} read`,
      `  window   ${windowText(document.window)}`,
      `  records  ${accountText(records)}`,
    );
    if (document.repeated > 0)
      lines.push(`  skipped  ${plural(document.repeated, "record")} read again, already stored`);
    if (document.earlier !== undefined && document.earlier.records > 0) {
      const { runs, records: delivered } = document.earlier;
      lines.push(
        `  earlier  ${plural(delivered, "record")} of ${plural(runs, "earlier run")} delivered as well`,
      );
    }
  }
  if (document.sinks.length > 0) lines.push(indent(sinkTable(document, output)));
  if (document.status !== "succeeded" && records.queued > 0) {
    lines.push(`  ${plural(records.queued, "record")} safely queued: the next run delivers them.`);
  }
  if (records.deadLettered > 0) {
    lines.push(
      `  ${plural(records.deadLettered, "record was", "records were")} refused: sluice dead-letters list --flow ${document.flow}`,
    );
  }
  return lines.join("\n");
}

function sinkTable(document: RunDocument, output: Output): string {
  return table(
    document.sinks,
    [
      { title: "sink", value: (sink) => sink.connection },
      { title: "target", value: (sink) => sink.target },
      { title: "records", value: (sink) => countText(sink.records), align: "right" },
      { title: "bytes", value: (sink) => bytesText(sink.bytes), align: "right" },
      { title: "loads", value: (sink) => countText(sink.loads), align: "right" },
      { title: "files", value: (sink) => countText(sink.files.length), align: "right" },
    ],
    output.title,
  );
}

/** `20,000 fetched = 12 filtered + 0 dropped + 3 dead-lettered + 19,985 loaded + 0 queued`: it always balances. */
export function accountText(records: RunState["records"]): string {
  const { fetched, filtered, dropped, deadLettered, loaded, queued } = records;
  const parts = [
    [filtered, "filtered"],
    [dropped, "dropped"],
    [deadLettered, "dead-lettered"],
    [loaded, "loaded"],
    [queued, "queued"],
  ] as const;
  return `${countText(fetched)} fetched = ${parts.map(([count, name]) => `${countText(count)} ${name}`).join(" + ")}`;
}

export function windowText(window: RunState["window"]): string {
  if (window.to === null) return window.from === null ? "everything" : `from ${timeText(window.from)}`;
  return `${window.from === null ? "the beginning" : timeText(window.from)} to ${timeText(window.to)} (UTC)`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
