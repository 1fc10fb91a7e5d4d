import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Load, SinkWriter } from "../../../core/contracts/index.js";
import { loadOf, plainRecord } from "../../contracts/sample.js";
import { finished } from "../../contracts/sink.js";
import { FolderFixture, quietLog } from "./folder-fixture.js";

const signal = new AbortController().signal;
const RUN = "20260101T000000000Z-0001";
let fixture: FolderFixture;

beforeEach(() => {
  fixture = new FolderFixture();
});
afterEach(() => fixture.remove());

function open(target: Record<string, unknown> = {}, flow = "accounts"): SinkWriter {
  const options = {
    name: "crm/accounts",
    write: "append" as const,
    format: "jsonl" as const,
    compression: "none",
  };
  return fixture.connect().open(fixture.target({ ...options, ...target }), flow);
}

function records(count: number, more = {}) {
  return Array.from({ length: count }, (_, at) => plainRecord(at + 1, more));
}

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("manifests", () => {
  const manifestPath = (run = RUN) =>
    join(fixture.root, `crm/accounts/_sluice/accounts/${run}.manifest.json`);
  const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
  const loaded = async (writer: SinkWriter, load: Load) => ({
    load,
    receipt: await writer.write(load, signal),
  });

  test("a run's manifest names its files; told more later, it grows", async () => {
    const writer = open();
    const first = await loaded(writer, loadOf(records(3)));
    const second = await loaded(writer, loadOf(records(2), { number: 1 }));
    await writer.finish(finished(RUN, RUN, true, [second]), signal);
    await writer.finish(finished(RUN, RUN, true, [first]), signal);
    expect(json(manifestPath())).toEqual({
      flow: "accounts",
      run: RUN,
      generation: RUN,
      startedAt: "2026-01-01T00:00:00.000Z",
      endedAt: "2026-01-01T00:01:00.000Z",
      records: 5,
      loads: [first.load.id, second.load.id],
      files: [first, second].map(({ load, receipt }) => ({
        key: `crm/accounts/${load.id}.jsonl`,
        records: receipt.records,
        bytes: receipt.bytes,
      })),
    });
  });

  test("a run without files writes none", async () => {
    await open().finish(finished(RUN, RUN, true, []), signal);
    expect(existsSync(fixture.root)).toBe(false);
  });

  test("current.json names the generation that counts; older files, manifests and folders are gone", async () => {
    const runs = ["20260101T000000000Z-0001", "20260102T000000000Z-0002"];
    for (const run of runs) {
      const writer = open({ write: "replace", partitionBy: ["name"] });
      const load = loadOf([plainRecord(1, { name: run })], { run });
      await writer.finish(finished(run, run, true, [await loaded(writer, load)]), signal);
    }
    const key = `crm/accounts/name=${runs[1]}/accounts-${runs[1]}-0-00000.jsonl`;
    expect(json(join(fixture.root, "crm/accounts/_sluice/accounts/current.json"))).toMatchObject({
      generation: runs[1],
      records: 1,
      files: [{ key }],
    });
    expect(fixture.files("crm/accounts")).toEqual([key]);
    expect(existsSync(join(fixture.root, `crm/accounts/name=${runs[0]}`))).toBe(false);
    expect(existsSync(manifestPath(runs[0]))).toBe(false);
    expect(existsSync(manifestPath(runs[1]))).toBe(true);
  });

  test("a generation finished late does not take the place of a newer one, nor its files", async () => {
    const [old = "", young = ""] = ["20260101T000000000Z-0001", "20260102T000000000Z-0002"];
    const warnings: string[] = [];
    const log = { ...quietLog, warn: (message: string) => void warnings.push(message) };
    const target = fixture.target({ name: "p", write: "replace", format: "jsonl", compression: "none" });
    const writer = fixture.connect({ log }).open(target, "accounts");
    const late = await loaded(writer, loadOf(records(1), { run: old }));
    const next = await loaded(writer, loadOf(records(2), { run: young }));
    // The older one is finished while the newer one's first files are there: they stay.
    await writer.finish(finished(old, old, true, [late]), signal);
    expect(fixture.files("p")).toHaveLength(2);
    await writer.finish(finished(young, young, true, [next]), signal);
    expect(fixture.files("p")).toHaveLength(1);
    await writer.finish(finished(old, old, true, [late]), signal);
    expect(fixture.files("p")).toEqual([`p/${next.load.id}.jsonl`]);
    expect(warnings).toEqual(["a generation was finished after a newer one and is not swapped in"]);
  });

  test("what append wrote before goes when the flow turns to replace", async () => {
    const before = open();
    await before.finish(finished(RUN, RUN, true, [await loaded(before, loadOf(records(2)))]), signal);
    const run = "20260102T000000000Z-0002";
    const after = open({ write: "replace" });
    const load = loadOf(records(1), { run });
    await after.finish(finished(run, run, true, [await loaded(after, load)]), signal);
    expect(fixture.files("crm/accounts")).toEqual([`crm/accounts/${load.id}.jsonl`]);
  });

  test("a manifest that somebody changed cannot make us delete what this flow has not written", async () => {
    const victim = join(fixture.dir, "victim.txt");
    const neighbour = join(fixture.root, "other/data.jsonl");
    mkdirSync(join(fixture.root, "other"), { recursive: true });
    mkdirSync(join(fixture.root, "crm/accounts/_sluice/accounts"), { recursive: true });
    for (const path of [victim, neighbour]) writeFileSync(path, "precious");
    const files = ["../victim.txt", "crm/accounts/../../../victim.txt", "other/data.jsonl"].map((key) => ({
      key,
      records: 1,
      bytes: 8,
    }));
    const forged = {
      flow: "accounts",
      run: "2025",
      generation: "2025",
      startedAt: "",
      endedAt: "",
      records: 3,
      loads: [],
      files,
    };
    writeFileSync(manifestPath("2025"), JSON.stringify(forged));
    const writer = open({ write: "replace" });
    await writer.finish(finished(RUN, RUN, true, [await loaded(writer, loadOf(records(1)))]), signal);
    expect(readFileSync(victim, "utf8")).toBe("precious");
    expect(readFileSync(neighbour, "utf8")).toBe("precious");
  });

  test("a manifest that cannot be read stops the swap before anything is removed", async () => {
    const before = open();
    await before.finish(finished(RUN, RUN, true, [await loaded(before, loadOf(records(1)))]), signal);
    writeFileSync(manifestPath(), "{ half");
    const run = "20260102T000000000Z-0002";
    const writer = open({ write: "replace" });
    const next = await loaded(writer, loadOf(records(1), { run }));
    const error = await thrown(writer.finish(finished(run, run, true, [next]), signal));
    expect(error).toMatchObject({ code: "MANIFEST_UNREADABLE", place: manifestPath() });
    expect(fixture.files("crm/accounts")).toHaveLength(2);
  });
});
