import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  type Load,
  type LoadReceipt,
  ORDER_COLUMN,
  type Schema,
  type Sink,
  type SinkWriter,
  SluiceError,
  type Value,
  type WriteMode,
} from "../../core/contracts/index.js";
import {
  eachStep,
  finished,
  ID_SCHEMA,
  type Interruption,
  type RefusalCase,
  records,
  type SinkFeatures,
  type SinkFixture,
  settled,
  type TargetOptions,
} from "./fixture.js";
import { replaceContract } from "./replace.js";
import { canonicalRow, EDGE_RECORDS, loadOf, plainRecord, SCHEMA, sorted } from "./sample.js";

export type { Interruption, RefusalCase, SinkFeatures, SinkFixture, TargetOptions };
export { finished };

const RUN_1 = "20260101T000000000Z-0001";
const RUN_2 = "20260102T000000000Z-0002";

/** What every sink must keep. `make` is called once. */
export function sinkContract(name: string, make: () => Promise<SinkFixture>): void {
  describe(`sink contract: ${name}`, () => {
    let fixture: SinkFixture;
    let serial = 0;
    const opened: { sink: Sink; writer: SinkWriter }[] = [];

    beforeAll(async () => {
      fixture = await make();
    });
    afterAll(async () => {
      for (const { sink, writer } of opened) {
        await writer.close();
        await sink.close();
      }
      await fixture.close();
    });

    const freshName = () => `t${serial++}`;
    /** A writer of a new connection, as after a restart. */
    const open = (options: TargetOptions, flow = "accounts"): SinkWriter => {
      const sink = fixture.connect();
      const writer = sink.open(fixture.target(options), flow);
      opened.push({ sink, writer });
      return writer;
    };
    const signal = () => new AbortController().signal;
    const prepare = (writer: SinkWriter, load: Pick<Load, "flow" | "run" | "generation" | "schema">) =>
      writer.prepare({ ...load, signal: signal() });
    const write = async (writer: SinkWriter, load: Load): Promise<LoadReceipt> => {
      await prepare(writer, load);
      return writer.write(load, signal());
    };
    const ids = async (target: string, schema: Schema = ID_SCHEMA) =>
      (await fixture.rows(target, schema)).map((row) => Number(row.id)).sort((a, b) => a - b);
    const needs = (mode: WriteMode, skip: (why: string) => void) => {
      if (!fixture.features.writeModes.includes(mode)) skip(`this sink has no ${mode}`);
    };

    test("writes every type, the edges of their ranges, nulls and hostile names", async () => {
      const target = freshName();
      const records = [...[1, 2].map((id) => plainRecord(id)), ...EDGE_RECORDS];
      const receipt = await write(open({ name: target, write: "append" }), loadOf(records));
      expect(receipt).toMatchObject({ records: records.length, repeated: false });
      expect(receipt.bytes).toBeGreaterThan(0);
      const rows = await fixture.rows(target, SCHEMA);
      const expected = records.map((record) => canonicalRow(SCHEMA, record));
      expect(sorted(rows)).toEqual(sorted(expected));
    });

    test("a load written again changes nothing, by the same writer and by another process", async () => {
      const target = freshName();
      const writer = open({ name: target, write: "append" });
      const load = loadOf(records(1, 5));
      const first = await write(writer, load);
      const again = await writer.write(load, signal());
      const later = await write(open({ name: target, write: "append" }), load);
      for (const receipt of [again, later]) {
        expect(receipt.repeated).toBe(true);
        expect(receipt.records).toBe(5);
        expect(receipt.files).toEqual(first.files);
      }
      expect(await ids(target)).toEqual([1, 2, 3, 4, 5]);
    });

    test("files of the receipt add up to its rows and bytes", async (context) => {
      if (fixture.features.kind !== "files") return context.skip("not a file sink");
      const receipt = await write(open({ name: freshName(), write: "append" }), loadOf(records(1, 5)));
      expect(receipt.files.length).toBeGreaterThan(0);
      expect(receipt.files.reduce((sum, file) => sum + file.records, 0)).toBe(5);
      expect(receipt.files.reduce((sum, file) => sum + file.bytes, 0)).toBe(receipt.bytes);
    });

    test("counts rows itself: a load that holds fewer than it claims shows it", async () => {
      const writer = open({ name: freshName(), write: "append" });
      const load = loadOf(records(1, 4), { claims: 5 });
      const outcome = await write(writer, load).then(
        (receipt) => receipt.records,
        (error: unknown) => (error instanceof SluiceError ? error.kind : error),
      );
      expect([4, "invariant"]).toContain(outcome);
    });

    test("loads of different ids add up, whatever their order", async () => {
      const target = freshName();
      await write(open({ name: target, write: "append" }), loadOf(records(3, 4), { number: 1 }));
      await write(open({ name: target, write: "append" }), loadOf(records(1, 2), { number: 0 }));
      // Children of a load that was split have a dot in their id.
      const child = { ...loadOf(records(5, 5), { number: 1 }), id: `${loadOf([], { number: 1 }).id}.0` };
      await write(open({ name: target, write: "append" }), child);
      expect(await ids(target)).toEqual([1, 2, 3, 4, 5]);
    });

    test("a new column is null in rows before it, a column left out in rows after it", async () => {
      const target = freshName();
      const narrow: Schema = { fields: SCHEMA.fields.slice(0, 2) };
      const wide: Schema = { fields: [...SCHEMA.fields.slice(0, 2), { name: "added", type: "timestamp" }] };
      const at = "2026-05-05T05:05:05.000Z";
      await write(open({ name: target, write: "append" }), loadOf(records(1, 1), { schema: narrow }));
      await write(
        open({ name: target, write: "append" }),
        loadOf([{ ...plainRecord(2), added: at }], { schema: wide, number: 1 }),
      );
      await write(
        open({ name: target, write: "append" }),
        loadOf(records(3, 3), { schema: narrow, number: 2 }),
      );
      const rows = sorted(await fixture.rows(target, wide));
      expect(rows.map((row) => row.added)).toEqual([null, "2026-05-05T05:05:05.000000Z", null]);
      expect(rows.map((row) => row.name)).toEqual(["Account 1", "Account 2", "Account 3"]);
    });

    test("a dry run of prepare says what it would do and does nothing", async () => {
      const target = freshName();
      const writer = open({ name: target, write: "append" });
      const load = loadOf(records(1, 1));
      const changes = await writer.prepare({ ...load, signal: signal(), dryRun: true });
      for (const change of changes) expect(change.text).toMatch(/\w/);
      expect(await fixture.rows(target, ID_SCHEMA)).toEqual([]);
      await write(writer, load);
      expect(await prepare(open({ name: target, write: "append" }), load)).toEqual([]);
    });

    test("partitions hold each row once", async (context) => {
      if (!fixture.features.partitions) return context.skip("no partitions here");
      const target = freshName();
      const strange = [
        "a/b",
        "..",
        "x=y&z",
        "ü 日本 \u{1f600}",
        "100%",
        "__HIVE_DEFAULT_PARTITION__",
        "",
        null,
      ];
      const rows = strange.flatMap((name, at) => [
        plainRecord(2 * at, { name }),
        plainRecord(2 * at + 1, { name, close_date: "2025-12-31" }),
      ]);
      const partitionBy = ["name", "year(close_date)"];
      const load = loadOf(rows);
      const receipt = await write(open({ name: target, write: "append", partitionBy }), load);
      expect(receipt.records).toBe(rows.length);
      expect(await ids(target)).toEqual(rows.map((_, at) => at));
      expect((await write(open({ name: target, write: "append", partitionBy }), load)).repeated).toBe(true);
      expect(await ids(target)).toEqual(rows.map((_, at) => at));
    });

    test("a write interrupted at any step, then repeated, gives each row once", async (context) => {
      const interrupt = fixture.interrupt?.bind(fixture);
      if (interrupt === undefined) return context.skip(fixture.whyNotInterrupted ?? "cannot be interrupted");
      const { partitions } = fixture.features;
      const load = loadOf(records(1, 6));
      for (const when of ["before", "after"] as const) {
        await eachStep(interrupt, when, async (interruption) => {
          const options: TargetOptions = {
            name: freshName(),
            write: "append",
            ...(partitions ? { partitionBy: ["active"] } : {}),
          };
          const writer = open(options);
          await prepare(writer, load);
          const strike = interruption();
          await settled(writer.write(load, strike.signal));
          strike.lift();
          const receipt = await write(open(options), load);
          expect(receipt.records).toBe(6);
          expect(await ids(options.name)).toEqual([1, 2, 3, 4, 5, 6]);
          return strike.struck();
        });
      }
    });

    test("upsert keeps the newest version of each key, whatever comes when", async (context) => {
      needs("upsert", context.skip);
      const target = freshName();
      const schema: Schema = { fields: [...SCHEMA.fields, { name: ORDER_COLUMN, type: "string" }] };
      const version = (id: number, order: string, name: string | null): Record<string, Value> =>
        plainRecord(id, { name, [ORDER_COLUMN]: order });
      const upsert = (number: number, ...versions: Record<string, Value>[]) =>
        write(open({ name: target, write: "upsert", key: ["id"] }), loadOf(versions, { schema, number }));
      await upsert(0, version(1, "b1", "old"), version(2, "b2", "two"), version(1, "b3", "new"));
      await upsert(1, version(1, "a9", "older, late"), version(3, "b4", "three"));
      const again = await upsert(
        0,
        version(1, "b1", "old"),
        version(2, "b2", "two"),
        version(1, "b3", "new"),
      );
      expect(again).toMatchObject({ repeated: true, records: 3 });
      await upsert(2, version(2, "c0", null));
      const rows = await fixture.rows(target, { fields: SCHEMA.fields.slice(0, 2) });
      expect(sorted(rows)).toEqual([
        { id: "1", name: "new" },
        { id: "2", name: null },
        { id: "3", name: "three" },
      ]);
    });

    describe("replace", () =>
      replaceContract(() => fixture, { open, prepare, write, ids, freshName, needs }));

    test("finishing a run is harmless when repeated, and without any load", async () => {
      const target = freshName();
      const writer = open({ name: target, write: "append" });
      await writer.finish(finished(RUN_1, RUN_1, false, []), signal());
      const load = loadOf(records(1, 2), { run: RUN_2 });
      const run = finished(RUN_2, RUN_2, true, [{ load, receipt: await write(writer, load) }]);
      await writer.finish(run, signal());
      await open({ name: target, write: "append" }).finish(run, signal());
      expect(await ids(target)).toEqual([1, 2]);
    });

    test("an aborted signal ends a write promptly, and the load can be written later", async () => {
      const target = freshName();
      const writer = open({ name: target, write: "append" });
      const early = new AbortController();
      early.abort();
      const load = loadOf(records(1, 8));
      await prepare(writer, load);
      await expect(writer.write(load, early.signal)).rejects.toBeInstanceOf(CancelledError);
      const amid = new AbortController();
      const interrupted = loadOf(records(1, 8), {
        onChunk: (index) => {
          if (index === 2) amid.abort();
        },
      });
      await expect(writer.write(interrupted, amid.signal)).rejects.toBeInstanceOf(CancelledError);
      expect((await writer.write(load, signal())).records).toBe(8);
      expect(await ids(target)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    test("check says who we are", async () => {
      const sink = fixture.connect();
      const report = await sink.check(signal());
      expect(report.identity).toMatch(/\w/);
      expect(report.warnings).toEqual([]);
      await sink.close();
    });

    test("refusals have their class, code, place and fix; nothing is lost by them", async (context) => {
      if (fixture.refusals === undefined) return context.skip("no refusals to provoke");
      for (const refusal of fixture.refusals) {
        const target = freshName();
        const load = loadOf(records(1, 3));
        const writer = open({ name: target, write: "append" });
        await prepare(writer, load);
        const mend = await refusal.arm();
        const error = await writer.write(load, signal()).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        await mend();
        expect(error, refusal.title).toBeInstanceOf(SluiceError);
        if (!(error instanceof SluiceError)) continue;
        expect([refusal.title, error.kind, error.code]).toEqual([refusal.title, refusal.kind, refusal.code]);
        expect(error.place, refusal.title).toMatch(/\w/);
        if (error.kind === "config" || error.kind === "auth") expect(error.fix, refusal.title).toMatch(/\.$/);
        expect((await write(open({ name: target, write: "append" }), load)).records).toBe(3);
        expect(await ids(target)).toEqual([1, 2, 3]);
      }
    });
  });
}
