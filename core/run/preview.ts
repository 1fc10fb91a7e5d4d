import { CancelledError, type Page, type SourceRecord, type Value } from "../contracts/index.js";
import type { Flow, Outcome } from "../flow/types.js";
import { forecastCalls } from "./budgets.js";
import { connectSink, connectSource } from "./connect.js";
import { queueName } from "./names.js";
import { isOrdered } from "./page.js";
import { type PreparedFlow, prepareFlow, readRequest } from "./prepare.js";
import { startOfRead } from "./read.js";
import { refusalOf } from "./refused-record.js";
import type { PlanReport, PreviewRow, RunHost } from "./types.js";

/** The first records of the stream and what the flow makes of them. Writes nothing, moves nothing. */
export async function previewFlow(
  host: RunHost,
  flow: Flow,
  options: { readonly limit: number; readonly signal: AbortSignal },
): Promise<PreviewRow[]> {
  const source = connectSource(host, flow.source.connection);
  const enough = new AbortController();
  const signal = AbortSignal.any([options.signal, enough.signal]);
  const rows: PreviewRow[] = [];
  try {
    const prepared = await prepareFlow(source, flow, options.signal);
    for await (const page of source.read(readRequest(prepared, { cursor: undefined, signal }))) {
      for (const record of page.records.slice(0, options.limit - rows.length)) {
        rows.push(previewRow(becomes(prepared, page, record), record));
      }
      if (rows.length >= options.limit) break;
    }
  } catch (error) {
    if (!(error instanceof CancelledError && enough.signal.aborted)) throw error;
  } finally {
    enough.abort();
    await source.close();
  }
  return rows;
}

/** As a run would have it, up to the line for the sinks. */
function becomes({ plan, flow }: PreparedFlow, { refused }: Page, record: SourceRecord): Outcome {
  const why = refused?.get(record);
  if (why !== undefined) return refusalOf(why, flow);
  const outcome = plan.process(record);
  if (outcome.kind !== "mapped") return outcome;
  const line = plan.stringify(outcome.record);
  return typeof line === "string" ? outcome : { kind: "rejected", rejection: line };
}

function previewRow(outcome: Outcome, source: SourceRecord): PreviewRow {
  if (outcome.kind === "mapped") {
    // The plan reuses its outcome; what is kept must be a copy.
    return { source, outcome: "mapped", mapped: { ...outcome.record } as Value };
  }
  if (outcome.kind === "filtered") return { source, outcome: "filtered" };
  const { stage, rule, reason, action } = outcome.rejection;
  return { source, outcome: "rejected", reason: `${stage} ${rule}: ${reason} (${action})` };
}

/** What a run would do now: the query and its window, the mapped columns, what the sinks would change. */
export async function planFlow(host: RunHost, flow: Flow, signal: AbortSignal): Promise<PlanReport> {
  const source = connectSource(host, flow.source.connection);
  const { queues, store } = host.environment;
  try {
    const prepared = await prepareFlow(source, flow, signal);
    const { read } = startOfRead(store, prepared, "plan", { trigger: "plan", signal });
    const plan = await source.plan(readRequest(prepared, { cursor: read.cursor, signal }));
    const budget = forecastCalls(host, flow.source.connection, plan);
    // Calls of the same read: the slowest limit sets its pace.
    const spans = [plan.durationMs ?? null, ...budget.map(({ waitMs }) => waitMs)].filter(
      (ms) => ms !== null,
    );
    const sinks: PlanReport["sinks"][number][] = [];
    let queued = 0;
    for (const [index, target] of flow.sinks.entries()) {
      const sink = connectSink(host, target.connection);
      const writer = sink.open(target.target, flow.name);
      try {
        const changes = await writer.prepare({
          flow: flow.name,
          run: "plan",
          generation: "plan",
          schema: isOrdered(target) ? prepared.schemas.ordered : prepared.schemas.plain,
          signal,
          dryRun: true,
        });
        sinks.push({
          connection: target.connection,
          target: writer.target,
          changes: changes.map(({ text }) => text),
        });
      } finally {
        await writer.close();
        await sink.close();
      }
      const queue = queueName(flow.name, index, target.connection);
      if (queues.hasQueue(queue)) queued += queues.depth(queue).records;
    }
    return {
      flow: flow.name,
      query: plan.query,
      pushedDown: plan.pushedDown,
      notPushedDown: plan.notPushedDown,
      window: plan.window ?? null,
      records: plan.records,
      apiCalls: plan.apiCalls,
      durationMs: spans.length === 0 ? null : Math.max(...spans),
      budget,
      schema: prepared.plan.schema.fields.map(({ name, type }) => ({ name, type })),
      sinks,
      openLoads: store.openLoads(flow.name).length,
      queued,
    };
  } finally {
    await source.close();
  }
}
