import {
  ORDER_COLUMN,
  type Page,
  RecordError,
  type SendEntry,
  type SourceRecord,
} from "../contracts/index.js";
import { recordJson, recordLine } from "../flow/index.js";
import type { FlowSink, Rejection } from "../flow/types.js";
import { emptyTally, type Tally } from "./account.js";
import { deadLetter } from "./deadletter.js";
import { keyOf, orderOf } from "./order.js";
import { Packer } from "./pack.js";
import { isRecognisable, refusalOf } from "./refused-record.js";
import type { Session } from "./session.js";

/** What one page became: everything its transaction writes. */
export interface PageWork {
  readonly page: Page;
  readonly tally: Tally;
  /** Messages per sink of the flow. */
  readonly entries: readonly (readonly SendEntry[])[];
  readonly deadLetters: readonly SendEntry[];
  /** Records in each sink's messages. */
  readonly mapped: number;
  readonly remembered: readonly { readonly key: string; readonly version: string }[];
  /** Given back to the pool after the transaction. */
  readonly buffers: readonly Buffer[];
  readonly nextSequence: number;
}

/** Upserts carry each record's order; everything else takes the record as it is. */
export function isOrdered(sink: FlowSink): boolean {
  return sink.mode === "upsert";
}

/** Runs a page's records through filter, map and validate and packs what passes into messages. */
export class PageMapper {
  readonly #session: Session;
  readonly #page: Page;
  readonly #tally: Tally = emptyTally();
  /** Undefined where no sink of the flow takes that form. */
  readonly #plain: Packer | undefined;
  readonly #ordered: Packer | undefined;
  readonly #deadLetters: SendEntry[] = [];
  readonly #remembered: { key: string; version: string }[] = [];
  #sequence: number;
  #mapped = 0;

  constructor(session: Session, page: Page, firstSequence: number) {
    this.#session = session;
    this.#page = page;
    this.#sequence = firstSequence;
    this.#tally.bytes = page.bytes;
    const { sinks } = session.flow;
    if (sinks.some((sink) => !isOrdered(sink))) this.#plain = this.#packer("append");
    if (sinks.some(isOrdered)) this.#ordered = this.#packer("upsert");
  }

  #packer(op: string): Packer {
    const { flow, run, generation, prepared, pool } = this.#session;
    return new Packer(pool, (first) => ({
      flow: flow.name,
      run,
      generation,
      seq: String(first),
      schema: prepared.plan.schemaId,
      op,
    }));
  }

  /** `repeats`: positions of records that are stored already. RecordError where a rejection fails the run. */
  async map(repeats: ReadonlySet<number>): Promise<PageWork> {
    const { plan } = this.#session.prepared;
    const { records, rememberFrom, refused } = this.#page;
    for (let position = 0; position < records.length; position++) {
      const record = records[position]!;
      if (repeats.has(position)) {
        this.#tally.repeated++;
        continue;
      }
      if (rememberFrom !== undefined) this.#remember(record, rememberFrom);
      this.#tally.fetched++;
      const why = refused?.get(record);
      const outcome = why === undefined ? plan.process(record) : refusalOf(why, this.#session.flow);
      if (outcome.kind === "mapped") {
        const line = plan.stringify(outcome.record);
        if (typeof line !== "string") await this.#reject(record, line);
        else {
          if (!this.#pack(line, record)) await this.#packLarge(line, record);
          this.#mapped++;
        }
      } else if (outcome.kind === "filtered") {
        this.#tally.filtered++;
      } else {
        await this.#reject(record, outcome.rejection);
      }
      this.#sequence++;
    }
    return this.#finish();
  }

  /** False when the record is larger than a message. */
  #pack(line: string, record: SourceRecord): boolean {
    if (this.#plain !== undefined && !this.#plain.add(line, this.#sequence)) return false;
    return this.#ordered === undefined || this.#ordered.add(this.#withOrder(line, record), this.#sequence);
  }

  /** The claim check: the line goes aside, durably, before the transaction that refers to it. */
  async #packLarge(line: string, record: SourceRecord): Promise<void> {
    const { sinks } = this.#session.flow;
    // A line that fits without its order but not with it is in the plain packer already.
    if (this.#plain !== undefined && Buffer.byteLength(line) + 1 > this.#session.pool.size) {
      this.#plain.addLarge(
        await this.#stage(line, sinks.filter((sink) => !isOrdered(sink)).length),
        this.#sequence,
      );
    }
    if (this.#ordered !== undefined) {
      const copies = await this.#stage(this.#withOrder(line, record), sinks.filter(isOrdered).length);
      this.#ordered.addLarge(copies, this.#sequence);
    }
  }

  #stage(line: string, copies: number): Promise<SendEntry["body"][]> {
    const { queues } = this.#session.host.environment;
    const body = Buffer.from(`${line}\n`);
    return Promise.all(Array.from({ length: copies }, () => queues.stage(body)));
  }

  #withOrder(line: string, record: SourceRecord): string {
    const order = JSON.stringify(this.#order(record));
    return `${line.slice(0, -1)}${line.length > 2 ? "," : ""}"${ORDER_COLUMN}":${order}}`;
  }

  #order(record: SourceRecord): string {
    const { orderField } = this.#session.prepared;
    return orderOf(orderField === undefined ? undefined : record[orderField], this.#sequence);
  }

  #remember(record: SourceRecord, rememberFrom: string): void {
    const { prepared } = this.#session;
    const { cursorField, stream } = prepared;
    if (!isRecognisable(record, this.#page, prepared)) return;
    const version = cursorField === undefined ? undefined : record[cursorField];
    if (typeof version !== "string" || version < rememberFrom) return;
    const key = keyOf(record, stream.primaryKey);
    if (key !== undefined) this.#remembered.push({ key, version });
  }

  async #reject(record: SourceRecord, rejection: Rejection): Promise<void> {
    const { flow, run, prepared, pool, host } = this.#session;
    if (rejection.action === "failRun") {
      throw new RecordError("RECORD_REJECTED", `${rejection.rule}: ${rejection.reason}`, {
        place: `${flow.name} ${keyOf(record, prepared.stream.primaryKey) ?? `record ${this.#sequence}`}`,
        fix: "Correct the record at its source, or set onFail to deadLetter or drop.",
      });
    }
    if (rejection.action === "drop") {
      this.#tally.dropped++;
      return;
    }
    this.#tally.deadLettered++;
    // What was in doubt when it was read stays in doubt: the letter holds the text of the source.
    const text = this.#page.refused?.get(record)?.text;
    const line = Buffer.from(`${text === undefined ? recordJson(record) : recordLine(text)}\n`);
    const body = line.length > pool.size ? await host.environment.queues.stage(line) : line;
    const { stage, rule, reason } = rejection;
    this.#deadLetters.push(
      deadLetter(body, { flow: flow.name, run, stage, rule, reason, order: this.#order(record) }),
    );
  }

  #finish(): PageWork {
    const taken = { plain: 0, ordered: 0 };
    return {
      page: this.#page,
      tally: this.#tally,
      entries: this.#session.flow.sinks.map((sink) =>
        isOrdered(sink)
          ? (this.#ordered?.entriesFor(taken.ordered++) ?? [])
          : (this.#plain?.entriesFor(taken.plain++) ?? []),
      ),
      deadLetters: this.#deadLetters,
      mapped: this.#mapped,
      remembered: this.#remembered,
      buffers: [...(this.#plain?.buffers ?? []), ...(this.#ordered?.buffers ?? [])],
      nextSequence: this.#sequence,
    };
  }
}
