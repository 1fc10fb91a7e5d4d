import { ORDER_COLUMN, type SourceRecord } from "../contracts/index.js";
import { recordJson } from "../flow/index.js";
import type { Flow, Rejection } from "../flow/types.js";
import { refusedRecords } from "../http/duplicates.js";
import { connectSource } from "./connect.js";
import { deadLetterAttributes } from "./deadletter.js";
import { type DeadLetter, type DeadLetterFilter, deadLettersOf, isObject, jsonOf } from "./deadletters.js";
import type { Backpressure } from "./extract.js";
import { queueName } from "./names.js";
import { orderOf } from "./order.js";
import { isOrdered } from "./page.js";
import { prepareFlow } from "./prepare.js";
import { type Returning, ReturningBatch } from "./returning.js";
import { execute } from "./run.js";
import type { Session } from "./session.js";
import { type Place, placesOf, placeToday } from "./sinks.js";
import type { RunHost, RunResult } from "./types.js";

/*
 * Redrive: dead letters go through the flow as it stands now. What map or validate had refused is a source record and is
 * mapped anew, for every sink; what a sink had refused is a mapped record and goes back to that sink alone. A letter
 * leaves the dead-letter queue in the transaction that puts it into the sink queues (ReturningBatch: many letters share
 * one); one that is refused again stays. The run that does this has an account of its own: fetched are the letters that
 * left the queue.
 *
 * A sink that replaces its content takes letters of the last read only: a newer read has seen the record of an older
 * letter itself, as it is now.
 */

export interface RedriveOptions extends DeadLetterFilter {
  /** Say what would happen and change nothing. */
  readonly dryRun: boolean;
  /** Letters sent back per second at most; undefined: as fast as it goes. */
  readonly perSecond?: number;
  readonly signal: AbortSignal;
}

export interface RedriveReport {
  readonly examined: number;
  /** Letters that leave their queue. */
  readonly redriven: number;
  /** Of these, those that the flow's filter leaves out today: they go to no sink. */
  readonly filtered: number;
  /** Records for each sink queue. */
  readonly queues: Readonly<Record<string, number>>;
  readonly stillRejected: readonly { readonly messageId: string; readonly reason: string }[];
  /** Undefined on a dry run and when there was nothing to redrive. */
  readonly run?: RunResult;
}

type Verdict =
  | ({ readonly passes: true } & Omit<Returning, "letter">)
  | { readonly passes: false; readonly rule: string; readonly reason: string };

export async function redriveDeadLetters(
  host: RunHost,
  flow: Flow,
  options: RedriveOptions,
): Promise<RedriveReport> {
  const tally = new Tally();
  // What arrives later, refused by a sink in this very run, is for another redrive.
  const until = Math.min(options.until ?? Number.POSITIVE_INFINITY, host.clock.now() + 1);
  const letters = () => deadLettersOf(host.environment, flow.name, { ...options, until });
  if (options.dryRun) {
    const source = connectSource(host, flow.source.connection);
    try {
      const prepared = await prepareFlow(source, flow, options.signal);
      const places = await placesOf(host, flow);
      const generation = host.environment.store.checkpoint(flow.name)?.generation ?? "";
      for (const letter of letters()) {
        const verdict = judge({ host, flow, prepared, places, generation }, letter);
        if (verdict.passes) tally.passed([{ ...verdict, letter }]);
        else tally.refused(letter, verdict.reason);
      }
    } finally {
      await source.close();
    }
    return tally.report();
  }
  if (letters().next().done === true) return tally.report();
  const run = await execute(
    host,
    flow,
    { trigger: "redrive", signal: options.signal },
    async (session, stop, backpressure) =>
      sendBack(session, { letters: letters(), perSecond: options.perSecond, tally, stop, backpressure }),
  );
  return { ...tally.report(), run };
}

/** What became of the letters so far. */
class Tally {
  #redriven = 0;
  #filtered = 0;
  readonly #queues: Record<string, number> = {};
  readonly #still: { messageId: string; reason: string }[] = [];

  passed(returned: readonly Returning[]): void {
    for (const { lines, filtered } of returned) {
      this.#redriven++;
      if (filtered) this.#filtered++;
      for (const queue of lines.keys()) this.#queues[queue] = (this.#queues[queue] ?? 0) + 1;
    }
  }

  refused({ messageId }: DeadLetter, reason: string): void {
    this.#still.push({ messageId, reason });
  }

  report(): RedriveReport {
    return {
      examined: this.#redriven + this.#still.length,
      redriven: this.#redriven,
      filtered: this.#filtered,
      queues: this.#queues,
      stillRejected: this.#still,
    };
  }
}

/** Sends every letter back that passes today. False when it was told to stop before the end. */
async function sendBack(
  session: Session,
  work: {
    readonly letters: Iterable<DeadLetter>;
    readonly perSecond: number | undefined;
    readonly tally: Tally;
    readonly stop: AbortSignal;
    readonly backpressure: Backpressure;
  },
): Promise<boolean> {
  const { letters, perSecond, tally, stop, backpressure } = work;
  const stopped = () => stop.aborted || session.signal.aborted;
  const batch = new ReturningBatch(session, perSecond);
  for (const letter of letters) {
    if (stopped()) return false;
    const verdict = judge(session, letter);
    if (verdict.passes) batch.add({ ...verdict, letter });
    else {
      keep(session, letter, verdict);
      tally.refused(letter, verdict.reason);
    }
    if (!batch.isFull) continue;
    await backpressure();
    if (stopped()) return false;
    tally.passed(await batch.send());
  }
  tally.passed(await batch.send());
  return true;
}

/** What the flow says of the letter today, and the lines for each sink queue. */
function judge(
  session: Pick<Session, "host" | "flow" | "prepared" | "places" | "generation">,
  letter: DeadLetter,
): Verdict {
  const { host, flow, prepared, places, generation } = session;
  const { attributes } = letter;
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
    // It keeps the columns it was mapped to.
    const schema = attributes.schema || prepared.plan.schemaId;
    return { passes: true, filtered: false, schema, lines: new Map([[own.queue, recordJson(record)]]) };
  }
  const doubt = refusedRecords(letter.message.body(), record, []).get(record);
  if (doubt !== undefined) return { passes: false, rule: doubt.rule, reason: doubt.reason };
  const outcome = prepared.plan.process(record);
  if (outcome.kind === "rejected") return refusedAgain(outcome.rejection);
  const schema = prepared.plan.schemaId;
  if (outcome.kind === "filtered") return { passes: true, filtered: true, schema, lines: new Map() };
  const order = attributes.order ?? orderOf(undefined, 0);
  const plain = prepared.plan.stringify(outcome.record);
  if (typeof plain !== "string") return refusedAgain(plain);
  const lines = new Map<string, string>();
  for (const [index, sink] of flow.sinks.entries()) {
    const place = places[index];
    if (place === undefined || !takes(place)) continue;
    const line = isOrdered(sink)
      ? prepared.plan.stringify({ ...outcome.record, [ORDER_COLUMN]: order })
      : plain;
    if (typeof line !== "string") return refusedAgain(line);
    lines.set(place.queue, line);
  }
  return lines.size === 0 ? REPLACED : { passes: true, filtered: false, schema, lines };
}

function refusedAgain({ rule, reason }: Rejection): Verdict {
  return { passes: false, rule, reason };
}

const REPLACED: Verdict = {
  passes: false,
  rule: "replace",
  reason: "a newer read has taken the place of the one it was rejected in",
};

function recordOf(letter: DeadLetter): SourceRecord | undefined {
  const value = jsonOf(letter.message.body());
  return isObject(value) ? value : undefined;
}

/** Refused again: it stays, with today's reason. */
function keep(session: Session, letter: DeadLetter, verdict: Verdict & { passes: false }): void {
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
