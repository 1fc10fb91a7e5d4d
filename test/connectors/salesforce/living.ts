import { existsSync, readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterEach } from "vitest";
import { optionsSchema } from "../../../connectors/salesforce/config.js";
import type { Page, ReadRequest, Source, SourceRecord } from "../../../core/contracts/index.js";
import { KeptAnswers } from "../../../core/store/index.js";
import type { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { scratchDir } from "../../core/store/scratch-dir.js";
import {
  type FakeClock,
  Org,
  type SalesforceFake,
  type SalesforceFakeOptions,
  startSalesforceFake,
} from "../../fakes/salesforce/index.js";
import { collect, connectTo, requestFor } from "./org.js";

/** Now, of these tests; a whole minute. */
export const NOW = Date.UTC(2026, 9, 1, 12);
export const MINUTE = 60_000;

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

export interface Living {
  readonly fake: SalesforceFake;
  readonly org: Org;
  readonly clock: PatientClock;
  readonly source: Source;
  readonly log: LogSpy;
  /** What reads of this org keep for each other. */
  readonly ahead: KeptAnswers;
  /** How many answers that are. */
  kept(): number;
  /** Cuts a byte off each of them. */
  damage(): void;
  request(stream: string, options?: object, extra?: Partial<ReadRequest>): Promise<ReadRequest>;
  read(stream: string, options?: object, extra?: Partial<ReadRequest>): Promise<Page[]>;
  /** Requests of this shape so far, e.g. `POST /services/data/jobs/query`. */
  asked(shape: string): number;
}

/** The honest fake with this org, closed after the test, and a connection to it. */
export async function living(
  make: Org | SalesforceFakeOptions["org"] | ((clock: FakeClock) => Org),
  options: Omit<SalesforceFakeOptions, "org" | "clock"> & {
    readonly config?: object;
    /** How far Salesforce's clock is ahead of ours. */
    readonly skewMs?: number;
  } = {},
): Promise<Living> {
  const clock = new PatientClock(NOW);
  const { config, skewMs = 0, ...fakeOptions } = options;
  const theirs = { now: () => clock.now() + skewMs };
  const fake = await startSalesforceFake({
    clock: theirs,
    ...fakeOptions,
    org: typeof make === "function" ? make(theirs) : make,
  });
  const auth = { type: "accessToken", accessToken: fake.accessToken };
  const { source, log } = connectTo(fake.url, { clock, config: { auth, ...config } });
  const dir = scratchDir();
  const folder = join(dir.path, "ahead");
  const ahead = new KeptAnswers(dir.path, "things", { clock, log });
  open.push({ close: async () => dir.remove() }, fake, source);
  const request: Living["request"] = (stream, read = {}, extra = {}) =>
    requestFor(source, stream, { options: optionsSchema.parse(read), ahead, ...extra });
  return {
    fake,
    org: fake.org,
    clock,
    source,
    log,
    ahead,
    kept: () => (existsSync(folder) ? readdirSync(folder).length : 0),
    damage: () => {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        truncateSync(path, statSync(path).size - 1);
      }
    },
    request,
    read: async (...asked) => collect(source.read(await request(...asked))),
    asked: (shape) => fake.requests.byPath[shape] ?? 0,
  };
}

export const recordsOf = (pages: readonly Page[]): SourceRecord[] =>
  pages.flatMap((page) => [...page.records]);

export const idsOf = (pages: readonly Page[]): string[] => recordsOf(pages).map(({ Id }) => String(Id));

export const byId = (records: readonly SourceRecord[]): SourceRecord[] =>
  [...records].sort((a, b) => (String(a.Id) < String(b.Id) ? -1 : 1));

/** `count` things, ten to a second, the last one an hour before now: out of reach of a lookback. */
export function things(count: number, more: Partial<Parameters<Org["define"]>[0]> = {}) {
  return (clock: FakeClock): Org => {
    const org = new Org(clock);
    org.define({
      name: "Thing__c",
      keyPrefix: "a00",
      fields: [
        { name: "Id", type: "id" },
        { name: "Name", type: "string" },
        { name: "IsDeleted", type: "boolean" },
        { name: "CreatedDate", type: "datetime" },
        { name: "SystemModstamp", type: "datetime" },
      ],
      ...more,
    });
    const start = clock.now() - 60 * MINUTE - count * 100;
    for (let n = 0; n < count; n++)
      org.upsert("Thing__c", { Name: `thing ${n}` }, start + Math.floor(n / 10) * 1000);
    return org;
  };
}
