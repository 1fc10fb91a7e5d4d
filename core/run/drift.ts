import { z } from "zod";
import type { Log, Page, Store, StoreTx } from "../contracts/index.js";
import type { Flow } from "../flow/types.js";
import type { PreparedFlow } from "./prepare.js";

/*
 * What a stream looked like when a flow read it last, kept as `stream/<flow>`, so that the next run names what is
 * different: new fields, fields that are gone, fields of another type, and fields that the flow had left out so far.
 * None of it fails a run.
 *
 * Where a source declares its fields itself (Slack, Zendesk) a field that vanishes shows in the records alone. So it is
 * counted how often each occurs, in a sample; one that should have occurred many times and did not once is named.
 */

const rememberedSchema = z.strictObject({
  feed: z.string(),
  fields: z.record(z.string(), z.string()),
  read: z.array(z.string()),
  occurred: z.record(z.string(), z.number()),
  records: z.number(),
});
type Remembered = z.output<typeof rememberedSchema>;

/** Records of a page that are looked at. */
const SAMPLE = 200;
/** A field is missing when it was to occur so often and did not: chance does that once in e^50 times. */
const EXPECTED_TO_BE_SURE = 50;
/** What was counted longer ago weighs less. */
const MOST_COUNTED = 10_000;

const key = (flow: string) => `stream/${flow}`;

/** Names a text field that holds something else, which is loaded as its text. */
export function noteUnlike(log: Log, flow: Flow): (name: string, found: string) => void {
  return (name, found) =>
    log.warn(`${name} of ${flow.source.stream} holds ${found} where text is expected: it is loaded as text`, {
      flow: flow.name,
    });
}

/** Watches one read of one flow. */
export class Drift {
  readonly #prepared: PreparedFlow;
  readonly #log: Log;
  readonly #before: Remembered | undefined;
  readonly #occurred = new Map<string, number>();
  #records = 0;

  constructor(store: Pick<Store, "get">, prepared: PreparedFlow, log: Log) {
    this.#prepared = prepared;
    this.#log = log;
    const stored = rememberedSchema.safeParse(store.get(key(prepared.flow.name)));
    this.#before = stored.success && stored.data.feed === prepared.feed ? stored.data : undefined;
    const declared = new Set(prepared.stream.fields.map(({ name }) => name));
    for (const name of prepared.plan.sourceFields) if (declared.has(name)) this.#occurred.set(name, 0);
  }

  /** Names what the source declares otherwise than before. `goesOn`: records loaded earlier are not read again. */
  compare(goesOn: boolean): void {
    const before = this.#before;
    if (before === undefined) return;
    const { stream } = this.#prepared.stream;
    const fields = this.#fields();
    const read = new Set(this.#prepared.plan.sourceFields);
    const names = Object.keys(fields);
    const added = names.filter((name) => !Object.hasOwn(before.fields, name));
    const gone = Object.keys(before.fields).filter((name) => !Object.hasOwn(fields, name));
    const retyped = names.filter((name) => (before.fields[name] ?? fields[name]) !== fields[name]);
    const begun = [...read].filter((name) => !before.read.includes(name));
    this.#tell(
      `${stream} has new fields`,
      added.map((name) => `${name} (${fields[name]}${read.has(name) ? "" : ", not in the flow's map"})`),
    );
    this.#tell(
      `${stream} has lost fields`,
      gone.map((name) => (before.read.includes(name) ? `${name} (its column gets no more values)` : name)),
    );
    this.#tell(
      `fields of ${stream} have another type`,
      retyped.map((name) => `${name} (${before.fields[name]} before, ${fields[name]} now)`),
    );
    if (goesOn) {
      const fix = "Run the flow with --full to fill them in.";
      this.#tell(`fields are read from now on, and records loaded before lack them`, begun, fix);
    }
  }

  /** Counts what a page's records hold. */
  look({ records }: Page): void {
    const looked = Math.min(records.length, SAMPLE);
    for (const [name, times] of this.#occurred) {
      let sum = times;
      for (let index = 0; index < looked; index++) if (records[index]?.[name] !== undefined) sum += 1;
      this.#occurred.set(name, sum);
    }
    this.#records += looked;
  }

  /** Before anything is read. */
  begin(tx: StoreTx): void {
    const { occurred = {}, records = 0 } = this.#before ?? {};
    this.#put(tx, occurred, records);
  }

  /** The read came to its end. */
  finish(tx: StoreTx): void {
    const { occurred = {}, records = 0 } = this.#before ?? {};
    const missing: string[] = [];
    const share = records + this.#records > MOST_COUNTED ? 0.5 : 1;
    const sums: Record<string, number> = {};
    for (const [name, now] of this.#occurred) {
      const earlier = occurred[name] ?? 0;
      const isMissing = now === 0 && (earlier / Math.max(1, records)) * this.#records >= EXPECTED_TO_BE_SURE;
      if (isMissing)
        missing.push(`${name} (in ${Math.round(earlier)} of ${Math.round(records)} looked at before)`);
      sums[name] = isMissing ? 0 : (earlier + now) * share;
    }
    this.#put(tx, sums, (records + this.#records) * share);
    const { stream } = this.#prepared.stream;
    this.#tell(`of ${this.#records} records of ${stream} none has fields that used to be there`, missing);
  }

  #put(tx: StoreTx, occurred: Readonly<Record<string, number>>, records: number): void {
    const { feed, flow, plan } = this.#prepared;
    tx.put(key(flow.name), { feed, fields: this.#fields(), read: [...plan.sourceFields], occurred, records });
  }

  #fields(): Record<string, string> {
    return Object.fromEntries(this.#prepared.stream.fields.map(({ name, type }) => [name, type]));
  }

  #tell(what: string, fields: readonly string[], fix?: string): void {
    if (fields.length === 0) return;
    const { flow } = this.#prepared;
    this.#log.warn(`${what}: ${fields.join(", ")}`, {
      flow: flow.name,
      ...(fix === undefined ? {} : { fix }),
    });
  }
}
