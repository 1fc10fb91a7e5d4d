import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type ConnectorContext,
  type Page,
  type ReadRequest,
  SluiceError,
  type Source,
  type SourceConnector,
  type SourceRecord,
  type StreamSchema,
  type Value,
} from "../../core/contracts/index.js";
import { KeptAnswers } from "../../core/store/index.js";
import { LogSpy } from "../core/http/log-spy.js";
import { PatientClock } from "../core/http/patient-clock.js";
import { scratchDir } from "../core/store/scratch-dir.js";
import { seededRandom } from "../seeded-random.js";
import { SourceLedger } from "./source-ledger.js";
import { fits, requiredPaths, undescribed, without } from "./source-schema.js";

/** Troubles of the other side that every source must bring into the right class. */
export const SOURCE_FAULTS = {
  unauthorized: "auth",
  forbidden: "auth",
  dailyQuota: "rateLimit",
  tooManyRequests: "rateLimit",
  serverError: "transient",
  html: "transient",
  halfJson: "transient",
  cutBody: "transient",
  reset: "transient",
} as const;
export type SourceFault = keyof typeof SOURCE_FAULTS;

/** A source at an honest fake of its system. */
export interface SourceSubject {
  readonly connector: SourceConnector;
  /** As sluice.yaml would give it, every required key present. */
  readonly config: Readonly<Record<string, unknown>>;
  /** A stream with at least five pages at these options; with a cursor unless the suite is told `fullOnly`. */
  readonly stream: string;
  readonly options: unknown;
  /** A name of no stream, near to that one. */
  readonly misspelt: string;
  /** Must show nowhere. */
  readonly secrets: readonly string[];
  /** What changed is seen by a read only so much later; default 0. */
  readonly settleMs?: number;
  /** Every record of the stream there is now, by key, with its cursor value. */
  records(): ReadonlyMap<string, string>;
  /** Changes `count` records so that the next incremental read finds them; their keys. */
  change(count: number): readonly string[];
  /** Lets requests for pages fail: from the nth page on (1 is the first), `times` in all or for ever. */
  fail(fault: SourceFault, on: { readonly page: number; readonly times?: number }): void;
  /** The nth page names itself as the next one. */
  repeatPage(page: number): void;
  /** The nth page comes only after so long. */
  delayPage(page: number, ms: number): void;
  close(): Promise<void>;
}

export interface SourceFeatures {
  /** The stream has no cursor, and why: the cases of incremental reads are skipped. */
  readonly fullOnly?: string;
  /** The other side gives all in one answer, and why: the cases of several pages are skipped. */
  readonly onePage?: string;
}

/** What every source promises (core/contracts/source.ts). `start` is given the clock that the fake must share. */
export function sourceContract(
  name: string,
  start: (clock: PatientClock) => Promise<SourceSubject>,
  features: SourceFeatures = {},
): void {
  const modes = features.fullOnly === undefined ? ["incremental", "full"] : ["full"];
  const incrementally = it.skipIf(features.fullOnly !== undefined);
  const isPaged = features.onePage === undefined;
  const onSeveralPages = it.skipIf(!isPaged);
  describe(`source contract: ${name}`, () => {
    let clock: PatientClock;
    let subject: SourceSubject;
    let log: LogSpy;
    let waits: string[];
    let dir: ReturnType<typeof scratchDir>;
    let ahead: KeptAnswers;
    const opened: Source[] = [];

    beforeEach(async () => {
      clock = new PatientClock();
      log = new LogSpy();
      waits = [];
      dir = scratchDir();
      ahead = new KeptAnswers(dir.path, "under-test", { clock, log });
      subject = await start(clock);
    });
    afterEach(async () => {
      for (const source of opened.splice(0)) await source.close();
      await subject.close();
      dir.remove();
    });

    const signal = () => new AbortController().signal;
    const context = (): ConnectorContext => ({
      connection: "under-test",
      clock,
      random: seededRandom(7),
      log,
      tmpDir: "/nowhere",
      onWait: ({ reason }) => waits.push(reason),
    });
    const connect = (): Source => {
      const source = subject.connector.connect(
        subject.connector.spec.configSchema.parse(subject.config),
        context(),
      );
      opened.push(source);
      return source;
    };
    const request = async (source: Source, extra: Partial<ReadRequest> = {}): Promise<ReadRequest> => {
      const schema = await source.describe(subject.stream, signal());
      return {
        stream: subject.stream,
        schema,
        mode: schema.cursors.length === 0 ? "full" : "incremental",
        cursorField: schema.cursors[0],
        cursor: undefined,
        lookbackMs: schema.defaultLookbackMs,
        fields: schema.fields.map((field) => field.name),
        filter: undefined,
        options: subject.connector.spec.optionsSchema.parse(subject.options),
        ahead,
        signal: signal(),
        ...extra,
      };
    };
    const full = { mode: "full", cursorField: undefined } as const;
    const pagesOf = async (source: Source, extra: Partial<ReadRequest> = {}): Promise<Page[]> => {
      const pages: Page[] = [];
      for await (const page of source.read(await request(source, extra))) pages.push(page);
      return pages;
    };
    const recordsOf = (pages: readonly Page[]) => pages.flatMap((page) => [...page.records]);
    const keyOf = (schema: StreamSchema, record: SourceRecord) =>
      schema.primaryKey.map((part) => String(record[part])).join("/");
    const keysOf = async (source: Source, pages: readonly Page[]) => {
      const schema = await source.describe(subject.stream, signal());
      return recordsOf(pages).map((record) => keyOf(schema, record));
    };
    const ledgerOf = async (source: Source, mode: string) => {
      const schema = await source.describe(subject.stream, signal());
      return new SourceLedger(mode === "full" ? undefined : schema.cursors[0], schema.primaryKey);
    };
    const failure = async (work: Promise<unknown>): Promise<SluiceError> => {
      const error = await work.then(
        () => new Error("nothing failed"),
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(SluiceError);
      return error as SluiceError;
    };
    const throughJson = (value: Value | undefined): Value | undefined =>
      value === undefined ? undefined : JSON.parse(JSON.stringify(value));

    describe("config", () => {
      it("is accepted as it stands", () => {
        expect(subject.connector.spec.configSchema.safeParse(subject.config).success).toBe(true);
      });

      it("names each required key that is missing", () => {
        const paths = requiredPaths(subject.config, subject.connector.spec.configSchema);
        expect(paths.length).toBeGreaterThan(0);
        for (const path of paths) {
          const parsed = subject.connector.spec.configSchema.safeParse(without(subject.config, path));
          expect(parsed.error?.issues.map((issue) => issue.path.join("."))).toContain(path.join("."));
        }
      });

      it("refuses a key that does not exist", () => {
        const parsed = subject.connector.spec.configSchema.safeParse({ ...subject.config, nonsense: 1 });
        expect(parsed.success).toBe(false);
      });

      it("describes every key, of the options as well", () => {
        const { configSchema, optionsSchema } = subject.connector.spec;
        for (const schema of [configSchema, optionsSchema]) expect(undescribed(schema)).toEqual([]);
      });
    });

    describe("what there is", () => {
      it("check says who we are", async () => {
        const report = await connect().check(signal());
        expect(report.identity).not.toBe("");
        expect(report.warnings).toEqual([]);
      });

      it("discover lists the stream as readable, and gives a reason for what is not", async () => {
        const streams = await connect().discover(signal());
        expect(streams).toContainEqual(expect.objectContaining({ name: subject.stream, readable: true }));
        for (const stream of streams) if (!stream.readable) expect(stream.reason).toBeTruthy();
      });

      it("an unknown stream is refused with the name that was probably meant", async () => {
        const error = await failure(connect().describe(subject.misspelt, signal()));
        expect(error.kind).toBe("config");
        expect(error.fix).toContain(subject.stream);
      });

      it("the schema is consistent, and its records fit it", async () => {
        const source = connect();
        const schema = await source.describe(subject.stream, signal());
        const names = schema.fields.map((field) => field.name);
        expect(new Set(names).size).toBe(names.length);
        for (const name of [...schema.primaryKey, ...schema.cursors]) expect(names).toContain(name);
        const records = recordsOf(await pagesOf(source));
        const misfits = records.flatMap((record) => [
          ...Object.keys(record).filter((key) => !names.includes(key)),
          ...schema.fields
            .filter((field) => !fits(field, record[field.name] ?? null))
            .map((field) => field.name),
          ...schema.primaryKey.filter((part) => record[part] === null || record[part] === undefined),
        ]);
        expect(misfits).toEqual([]);
      });
    });

    describe("reading", () => {
      it.each(modes)("hands out every record once: %s", async (mode) => {
        const source = connect();
        const keys = await keysOf(source, await pagesOf(source, mode === "full" ? full : {}));
        expect(keys.length).toBe(new Set(keys).size);
        expect(new Set(keys)).toEqual(new Set(subject.records().keys()));
        expect(source.apiCalls()).toBeGreaterThan(0);
      });

      it.each(modes)("resumes from every cursor and repeats nothing: %s", async (mode) => {
        const how = mode === "full" ? full : {};
        const source = connect();
        const ledger = await ledgerOf(source, mode);
        const states: SourceLedger[] = [];
        for await (const page of source.read(await request(source, how))) {
          ledger.take(page);
          states.push(ledger.copy());
        }
        expect(states.length).toBeGreaterThan(isPaged ? 4 : 0);
        const all = [...subject.records().keys()].sort();
        for (const state of states) {
          const asked = await request(source, { ...how, cursor: state.checkpoint, resumes: true });
          for await (const page of connect().read(asked)) state.take(page);
          expect(state.keys().sort()).toEqual(all);
        }
      });

      incrementally("a second read finds what changed, and repeats only what lookback says", async () => {
        const source = connect();
        const ledger = await ledgerOf(source, "incremental");
        // Some records stand in the overlap of the two windows.
        const early = subject.change(40);
        clock.set(clock.now() + 1_000 + (subject.settleMs ?? 0));
        for (const page of await pagesOf(source)) ledger.take(page);
        const before = ledger.versions();
        const there = subject.records().size;
        clock.set(clock.now() + 3_600_000);
        const changed = subject.change(25);
        clock.set(clock.now() + 60_000 + (subject.settleMs ?? 0));
        for (const page of await pagesOf(source, { cursor: ledger.checkpoint })) ledger.take(page);
        expect(before).toHaveLength(there);
        // Where the other side's cursor is exact there is no overlap.
        const { defaultLookbackMs } = await source.describe(subject.stream, signal());
        if (defaultLookbackMs > 0) expect(ledger.repeats).toBeGreaterThan(0);
        expect(ledger.repeats).toBeLessThanOrEqual(early.length);
        expect(ledger.keys().slice(before.length).sort()).toEqual([...changed].sort());
        expect(new Set(ledger.versions()).size).toBe(ledger.versions().length);
      });

      incrementally(
        "a read that finds nothing yields one empty page, and its cursor moves on, never back",
        async () => {
          const source = connect();
          const first = (await pagesOf(source)).at(-1);
          clock.set(clock.now() + 7_200_000);
          const idle = await pagesOf(source, { cursor: throughJson(first?.cursor) });
          expect(idle).toHaveLength(1);
          expect(idle[0]?.records).toEqual([]);
          expect((idle[0]?.window?.to ?? "") > (first?.window?.to ?? "")).toBe(true);
          // A clock that was set back does not take the watermark with it.
          clock.set(clock.now() - 86_400_000);
          const back = await pagesOf(source, { cursor: throughJson(idle[0]?.cursor) });
          expect(back.at(-1)?.window?.to).toBe(idle[0]?.window?.to);
        },
      );

      incrementally("from and to bound the window", async () => {
        const source = connect();
        const stamps = [...new Set(subject.records().values())].sort();
        const from = Date.parse(stamps[Math.floor(stamps.length / 4)]?.slice(0, 19) + "Z");
        const to = Date.parse(stamps[Math.floor(stamps.length / 2)]?.slice(0, 19) + "Z");
        const keys = await keysOf(source, await pagesOf(source, { from, to }));
        const inside = [...subject.records()].filter(([, value]) => {
          const at = Date.parse(value.slice(0, 19) + "Z");
          return at >= from && at < to;
        });
        expect(inside.length).toBeGreaterThan(0);
        expect([...keys].sort()).toEqual(inside.map(([key]) => key).sort());
      });

      it("plan says what read will ask, and how much there is", async () => {
        const source = connect();
        const plan = await source.plan(await request(source));
        expect(plan.query).not.toBe("");
        if (plan.records !== null) expect(plan.records).toBe(subject.records().size);
      });
    });

    describe("troubles", () => {
      it.each(Object.entries(SOURCE_FAULTS))("%s for ever is %s", async (fault, kind) => {
        subject.fail(fault as SourceFault, { page: 1 });
        const error = await failure(pagesOf(connect()));
        expect(error.kind).toBe(kind);
        expect(error.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
      });

      it.each([
        "unauthorized",
        "serverError",
        "tooManyRequests",
        "html",
        "halfJson",
        "cutBody",
        "reset",
      ] as const)("%s once, in the middle, costs no record and repeats none", async (fault) => {
        subject.fail(fault, { page: isPaged ? 3 : 1, times: 1 });
        const source = connect();
        const keys = await keysOf(source, await pagesOf(source));
        expect([...keys].sort()).toEqual([...subject.records().keys()].sort());
      });

      onSeveralPages(
        "what was handed out before a failure stays good: the next run goes on behind it",
        async () => {
          subject.fail("dailyQuota", { page: 4 });
          const source = connect();
          const ledger = await ledgerOf(source, "incremental");
          const error = await failure(
            (async () => {
              for await (const page of source.read(await request(source))) ledger.take(page);
            })(),
          );
          expect(error.kind).toBe("rateLimit");
          expect(ledger.stored.length).toBeGreaterThan(0);
          subject.fail("dailyQuota", { page: 1, times: 0 });
          for (const page of await pagesOf(connect(), { cursor: ledger.checkpoint })) ledger.take(page);
          expect(ledger.keys().sort()).toEqual([...subject.records().keys()].sort());
        },
      );

      onSeveralPages("a page that leads to itself is noticed", async () => {
        for (const page of [1, 3]) {
          subject.repeatPage(page);
          expect((await failure(pagesOf(connect()))).kind).toBe("transient");
        }
      });
    });

    describe("stopping", () => {
      onSeveralPages("is prompt while a page is awaited", async () => {
        subject.delayPage(2, 20_000);
        const abort = new AbortController();
        const source = connect();
        const reading = request(source, { signal: abort.signal }).then(async (asked) => {
          for await (const page of source.read(asked))
            if (page.records.length > 0) setImmediate(() => abort.abort());
        });
        const started = performance.now();
        expect((await failure(reading)).kind).toBe("cancelled");
        expect(performance.now() - started).toBeLessThan(5_000);
      });

      it("before the first page asks for nothing", async () => {
        const abort = new AbortController();
        abort.abort();
        const source = connect();
        const asked = await request(source, { signal: abort.signal });
        const calls = source.apiCalls();
        const error = await failure(source.read(asked)[Symbol.asyncIterator]().next());
        expect(error.kind).toBe("cancelled");
        expect(source.apiCalls()).toBe(calls);
      });

      onSeveralPages("by leaving the loop ends the request under way", async () => {
        subject.delayPage(2, 20_000);
        const source = connect();
        for await (const page of source.read(await request(source))) {
          expect(page.records.length).toBeGreaterThan(0);
          break;
        }
        await source.close();
      });
    });

    it("shows no secret in an error, a cause, a wait or a line of the log", async () => {
      const words: string[] = [];
      for (const fault of Object.keys(SOURCE_FAULTS) as SourceFault[]) {
        subject.fail(fault, { page: isPaged ? 2 : 1 });
        const error = await failure(pagesOf(connect()));
        words.push(
          inspect(error, { depth: 20, showHidden: true }),
          String(error.stack),
          JSON.stringify(error),
        );
      }
      subject.fail("reset", { page: 1, times: 0 });
      words.push(inspect(await connect().check(signal())), inspect(connect(), { depth: 10 }));
      for (const file of readdirSync(dir.path, { recursive: true, withFileTypes: true }))
        if (file.isFile()) words.push(file.name, readFileSync(join(file.parentPath, file.name), "utf8"));
      const all = [...words, ...log.lines, ...waits].join("\n");
      expect(log.lines.length).toBeGreaterThan(10);
      for (const secret of subject.secrets) {
        expect(secret.length).toBeGreaterThan(8);
        expect(all.includes(secret)).toBe(false);
        expect(all.includes(encodeURIComponent(secret))).toBe(false);
      }
    });
  });
}
