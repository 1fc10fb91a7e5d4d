import { ORDER_COLUMN, type SendEntry, type SourceRecord } from "../contracts/index.js";
import { recordJson } from "../flow/index.js";
import type { Flow } from "../flow/types.js";
import { parseJson } from "../http/json.js";
import { connectSource } from "./connect.js";
import { deadLetterAttributes } from "./deadletter.js";
import { type DeadLetter, type DeadLetterFilter, deadLettersOf } from "./deadletters.js";
import { updateRun, updateSink } from "./history.js";
import { deadLetterQueue, queueName } from "./names.js";
import { orderOf } from "./order.js";
import { isOrdered } from "./page.js";
import { prepareFlow } from "./prepare.js";
import { execute } from "./run.js";
import { commit, type Session } from "./session.js";
import { type Place, placesOf, placeToday } from "./sinks.js";
import type { RunHost, RunResult } from "./types.js";

/*
 * Redrive: dead letters go through the flow as it stands now. What map or validate had refused is a source record and is
 * mapped anew, for every sink; what a sink had refused is a mapped record and goes back to that sink alone. A letter
 * leaves the dead-letter queue in the transaction that puts it into the sink queues; one that is refused again stays.
 * The run that does this has an account of its own: fetched are the letters that left the queue.
 *
 * A sink that replaces its content takes letters of the last read only: a newer read has seen the record of an older
 * letter itself, as it is now.
 */

export interface RedriveOptions extends DeadLetterFilter {
  /** Say what would happen and change nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface RedriveReport {
  readonly examined: number;
  readonly redriven: number;
  readonly stillRejected: readonly { readonly messageId: string; readonly reason: string }[];
  /** Undefined on a dry run and when there was nothing to redrive. */
  readonly run?: RunResult;
}

type Verdict =
  | { readonly passes: true; readonly lines: ReadonlyMap<string, string>; readonly filtered: boolean }
  | { readonly passes: false; readonly rule: string; readonly reason: string };

export async function redriveDeadLetters(
  host: RunHost,
  flow: Flow,
  options: RedriveOptions,
): Promise<RedriveReport> {
  const still: { messageId: string; reason: string }[] = [];
  let examined = 0;
  let redriven = 0;
  const letters = () => deadLettersOf(host.environment, flow.name, options);
  if (options.dryRun) {
    const source = connectSource(host, flow.source.connection);
    try {
      const prepared = await prepareFlow(source, flow, options.signal);
      const places = await placesOf(host, flow);
      const generation = host.environment.store.checkpoint(flow.name)?.generation ?? "";
      for (const letter of letters()) {
        examined++;
        const verdict = judge({ host, flow, prepared, places, generation }, letter);
        if (verdict.passes) redriven++;
        else still.push({ messageId: letter.messageId, reason: verdict.reason });
      }
    } finally {
      await source.close();
    }
    return { examined, redriven, stillRejected: still };
  }
  if (letters().next().done === true) return { examined, redriven, stillRejected: still };
  const run = await execute(
    host,
    flow,
    { trigger: "redrive", signal: options.signal },
    async (session, stop) => {
      for (const letter of letters()) {
        if (stop.aborted || session.signal.aborted) return false;
        // Refused by its sink again while this run goes on: that is for another redrive.
        if (letter.run === session.run) continue;
        examined++;
        const verdict = judge(session, letter);
        if (verdict.passes) {
          if (await sendBack(session, letter, verdict)) redriven++;
        } else {
          await keep(session, letter, verdict);
          still.push({ messageId: letter.messageId, reason: verdict.reason });
        }
      }
      return true;
    },
  );
  return { examined, redriven, stillRejected: still, run };
}

/** What the flow says of the letter today, and the lines for each sink queue. */
function judge(
  session: Pick<Session, "host" | "flow" | "prepared" | "places" | "generation">,
  letter: DeadLetter,
): Verdict {
  const { host, flow, prepared, places, generation } = session;
  const { attributes } = letter.message;
  const state = host.environment.store.run(flow.name, letter.run);
  const takes = ({ replaces }: Place) => !replaces || state?.generation === generation;
  const record = recordOf(letter);
  if (record === undefined) {
    return { passes: false, rule: "json", reason: "the body is not one JSON object" };
  }
  if (letter.stage === "sink") {
    const queue = queueName(flow.name, Number(attributes.sinkIndex ?? 0), letter.sink ?? "");
    const meant = state?.sinks.find((sink) => sink.queue === queue);
    const own = state && meant && placeToday(state, meant, places);
    if (own === undefined) {
      return { passes: false, rule: "sink", reason: `the flow has no sink ${letter.sink ?? ""} any more` };
    }
    if (!takes(own)) return REPLACED;
    return { passes: true, filtered: false, lines: new Map([[own.queue, recordJson(record)]]) };
  }
  const outcome = prepared.plan.process(record);
  if (outcome.kind === "rejected") {
    return { passes: false, rule: outcome.rejection.rule, reason: outcome.rejection.reason };
  }
  if (outcome.kind === "filtered") return { passes: true, filtered: true, lines: new Map() };
  const order = attributes.order ?? orderOf(undefined, 0);
  const plain = prepared.plan.stringify(outcome.record);
  const lines = new Map<string, string>();
  for (const [index, sink] of flow.sinks.entries()) {
    const place = places[index];
    if (place === undefined || !takes(place)) continue;
    const line = isOrdered(sink)
      ? prepared.plan.stringify({ ...outcome.record, [ORDER_COLUMN]: order })
      : plain;
    lines.set(place.queue, line);
  }
  return lines.size === 0 ? REPLACED : { passes: true, filtered: false, lines };
}

const REPLACED: Verdict = {
  passes: false,
  rule: "replace",
  reason: "a newer read has taken the place of the one it was rejected in",
};

function recordOf(letter: DeadLetter): SourceRecord | undefined {
  try {
    const value = parseJson(letter.message.body());
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is SourceRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function sendBack(
  session: Session,
  letter: DeadLetter,
  verdict: Verdict & { passes: true },
): Promise<boolean> {
  const { flow, run, generation, prepared, host, pool } = session;
  const entries = new Map<string, SendEntry>();
  for (const [queue, line] of verdict.lines) {
    const bytes = Buffer.from(`${line}\n`);
    const body = bytes.length > pool.size ? await host.environment.queues.stage(bytes) : bytes;
    // A record that its sink had refused keeps the columns it was mapped to.
    const schema = (letter.stage === "sink" && letter.message.attributes.schema) || prepared.plan.schemaId;
    const attributes = { flow: flow.name, run, generation, schema, op: "redrive" };
    entries.set(queue, { body, records: 1, attributes });
  }
  const moved = await commit(session, ({ queues, store }) => {
    // Another tool may have taken the letter in the meantime.
    if (queues.deleteById(deadLetterQueue(flow.name), [letter.messageId]) === 0) return false;
    for (const [queue, entry] of entries) queues.send(queue, [entry]);
    updateRun(store, flow.name, run, (state) => {
      let next = {
        ...state,
        records: {
          ...state.records,
          fetched: state.records.fetched + 1,
          filtered: state.records.filtered + (verdict.filtered ? 1 : 0),
        },
      };
      for (const sink of state.sinks) {
        // A letter for one sink counts as loaded at the others, which have its record already.
        const elsewhere = !verdict.filtered && !verdict.lines.has(sink.queue) ? 1 : 0;
        const sent = verdict.lines.has(sink.queue) ? 1 : elsewhere;
        next = updateSink(next, sink.queue, (own) => ({
          ...own,
          sent: own.sent + sent,
          records: own.records + elsewhere,
        }));
      }
      return next;
    });
    return true;
  });
  if (moved) session.meter.fetched++;
  return moved;
}

/** Refused again: it stays, with today's reason. */
async function keep(
  session: Session,
  letter: DeadLetter,
  verdict: Verdict & { passes: false },
): Promise<void> {
  if (verdict.reason === letter.reason && verdict.rule === letter.rule) return;
  session.host.log.info("refused again", {
    ...deadLetterAttributes({
      flow: letter.flow,
      run: letter.run,
      stage: "validate",
      rule: verdict.rule,
      reason: verdict.reason,
      order: "",
    }),
    messageId: letter.messageId,
  });
}
