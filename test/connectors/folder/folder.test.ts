import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeFileSystem } from "../../../connectors/folder/filesystem.js";
import { folderSink } from "../../../connectors/folder/index.js";
import {
  ConfigError,
  InvariantError,
  type Load,
  RecordError,
  type SinkWriter,
  TransientError,
} from "../../../core/contracts/index.js";
import { loadOf, plainRecord, SCHEMA } from "../../contracts/sample.js";
import { finished } from "../../contracts/sink.js";
import { BreakableFileSystem, errnoError, FolderFixture, makeContext } from "./folder-fixture.js";

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

/** Text of the lines of a load, as they should stand in a jsonl file. */
async function textOf(load: Load): Promise<string> {
  let text = "";
  for await (const chunk of load.chunks()) text += chunk.toString("utf8");
  return text;
}

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("where files lie", () => {
  test("one file per load, named after it", async () => {
    const load = loadOf(records(3));
    const receipt = await open().write(load, signal);
    const path = join(fixture.root, "crm/accounts", `accounts-${RUN}-0-00000.jsonl`);
    expect(receipt.files).toEqual([{ path, records: 3, bytes: load.bytes }]);
    expect(readFileSync(path, "utf8")).toBe(await textOf(load));
  });

  test("hive folders, which DuckDB reads back as columns past the manifests", async () => {
    const writer = open({
      format: "parquet",
      compression: "snappy",
      partitionBy: ["name", "month(close_date)"],
    });
    const load = loadOf([
      plainRecord(1, { name: "a b/c", close_date: "2026-01-31" }),
      plainRecord(2, { name: "a b/c", close_date: "2026-02-01" }),
      plainRecord(3, { name: null, close_date: null }),
    ]);
    const receipt = await writer.write(load, signal);
    await writer.finish(finished(RUN, RUN, true, [{ load, receipt }]), signal);
    const name = `accounts-${RUN}-0-00000.parquet`;
    expect(fixture.files("crm/accounts")).toEqual([
      `crm/accounts/name=__HIVE_DEFAULT_PARTITION__/close_date_month=__HIVE_DEFAULT_PARTITION__/${name}`,
      `crm/accounts/name=a%20b%2Fc/close_date_month=2026-01/${name}`,
      `crm/accounts/name=a%20b%2Fc/close_date_month=2026-02/${name}`,
    ]);
    const rows = await sql(
      `SELECT id, close_date_month FROM read_parquet('${fixture.root}/crm/**/*.parquet', hive_partitioning = true, hive_types_autocast = false) ORDER BY id`,
    );
    expect(rows).toEqual([
      [1n, "2026-01"],
      [2n, "2026-02"],
      [3n, null],
    ]);
  });

  test("read_json reads jsonl.gz in a folder", async () => {
    await open({ compression: "gzip" }).write(loadOf(records(4)), signal);
    expect(
      await sql(`SELECT count(*), sum(id)::INT FROM read_json('${fixture.root}/crm/accounts/*.jsonl.gz')`),
    ).toEqual([[4n, 10]]);
  });

  test("a relative path starts at sluice.yaml", async () => {
    const sink = folderSink(nodeFileSystem).connect(
      { path: "lake" },
      makeContext(fixture.tmpDir, { projectDir: fixture.dir }),
    );
    expect(sink.open(fixture.target({ name: "x", write: "append" }), "f").target).toBe(
      join(fixture.dir, "lake/x"),
    );
  });

  test("a partition that makes the path too long is the data's fault, and nothing is written", async () => {
    const partitionBy = ["name", "select", "Owner.Name", "it's"];
    const long = Object.fromEntries(partitionBy.map((field) => [field, "x".repeat(150)]));
    // Four folders of 150 characters are fine; six hundred above them are not.
    const name = Array.from({ length: 14 }, () => "d".repeat(245)).join("/");
    const writer = open({ name, partitionBy });
    const error = await thrown(writer.write(loadOf([plainRecord(1), plainRecord(2, long)]), signal));
    expect(error).toBeInstanceOf(RecordError);
    expect(error).toMatchObject({ code: "PARTITION_TOO_LONG" });
    expect(existsSync(fixture.root)).toBe(false);
  });

  test.each([
    ["../up", /\.\./],
    ["a/../../b", /\.\./],
    ["/etc", /without \/ at its ends/],
    ["a//b", /empty parts/],
    ["a\\b", /backslash/],
    ["a/_sluice/b", /_sluice/],
  ])("the path %s is refused", (path, message) => {
    const result = fixture.connector.spec.targetSchema.safeParse({ path });
    expect(result.success).toBe(false);
    expect(result.error?.issues[0]).toMatchObject({
      path: ["path"],
      message: expect.stringMatching(message),
    });
  });

  test.each([
    [{ write: "upsert" }, "write"],
    [{ partitionBy: ["week(close_date)"] }, "partitionBy"],
    [{ format: "parquet", compression: "brotli" }, "compression"],
    [{ format: "jsonl", compression: "snappy" }, "compression"],
    [{ fileSize: "lots" }, "fileSize"],
    [{ color: "red" }, undefined],
  ])("the target %j is refused", (more, key) => {
    const result = fixture.connector.spec.targetSchema.safeParse({ path: "p", ...more });
    expect(result.success).toBe(false);
    expect(result.error?.issues[0]?.path[0]).toBe(key);
  });

  test("a partition by what is no field is refused by prepare", async () => {
    const request = { flow: "accounts", run: RUN, generation: RUN, schema: SCHEMA, signal };
    await expect(open({ partitionBy: ["nope"] }).prepare(request)).rejects.toThrow(ConfigError);
  });
});

describe("getting into place", () => {
  const calls = () => {
    const seen: string[] = [];
    fixture.breakable.onCall = (name, path) => {
      const shown = path.startsWith(fixture.root) ? relative(fixture.root, path) : "formatted file";
      seen.push(`${name} ${shown}`.replace(/_sluice\/\.tmp\/.+/, "temporary"));
    };
    return seen;
  };

  test("on the same disk: synced, linked, folders synced, never copied", async () => {
    mkdirSync(join(fixture.root, "crm"), { recursive: true });
    const seen = calls();
    await open().write(loadOf(records(1)), signal);
    expect(seen).toEqual([
      "makeFolder crm/accounts",
      "sync crm",
      "sync formatted file",
      "link formatted file",
      "sync crm/accounts",
    ]);
  });

  test("from another disk: copied beside, synced, linked, the copy's other name removed", async () => {
    const seen = calls();
    const inner = fixture.breakable.onCall;
    fixture.breakable.onCall = (name, path) => {
      inner?.(name, path);
      if (name === "link" && !path.startsWith(fixture.root)) throw errnoError("EXDEV", path);
    };
    const load = loadOf(records(2));
    const { files } = await open().write(load, signal);
    expect(seen.slice(seen.indexOf("copy formatted file"))).toEqual([
      "copy formatted file",
      "sync temporary",
      "link temporary",
      "sync crm/accounts",
      "remove temporary",
    ]);
    expect(readFileSync(files[0]?.path ?? "", "utf8")).toBe(await textOf(load));
  });

  test("where there are no links: renamed, and still never over another file", async () => {
    fixture.breakable.onCall = (name, path) => {
      if (name === "link") throw errnoError("EPERM", path);
    };
    const load = loadOf(records(2));
    const first = await open().write(load, signal);
    expect(first.repeated).toBe(false);
    expect((await open().write(load, signal)).repeated).toBe(true);
    expect(readFileSync(first.files[0]?.path ?? "", "utf8")).toBe(await textOf(load));
  });

  test("a disk that fills up halfway: what is needed and where, nothing under the name, and later it works", async () => {
    const real = new BreakableFileSystem({
      ...nodeFileSystem,
      link: async (from, to) => {
        if (!from.startsWith(fixture.root)) throw errnoError("EXDEV", from);
        await nodeFileSystem.link(from, to);
      },
      // Half of the bytes arrive; then the kernel itself says that the device is full.
      copy: async (from, to) => {
        const bytes = readFileSync(from);
        writeFileSync(to, bytes.subarray(0, bytes.length / 2));
        if (existsSync("/dev/full")) writeFileSync("/dev/full", bytes);
        throw errnoError("ENOSPC", to);
      },
    });
    const load = loadOf(records(50));
    const broken = folderSink(real.fs).connect({ path: fixture.root }, makeContext(fixture.tmpDir));
    const target = fixture.target({
      name: "crm/accounts",
      write: "append",
      format: "jsonl",
      compression: "none",
    });
    const error = await thrown(broken.open(target, "accounts").write(load, signal));
    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({
      code: "DISK_FULL",
      message: `no space is left on the disk of ${fixture.root} for ${load.bytes} bytes`,
      fix: `Free at least ${load.bytes} bytes there; what is not written stays queued.`,
    });
    expect(fixture.files("crm/accounts")).toEqual([]);
    expect((await open().write(load, signal)).records).toBe(50);
    expect(execFileSync("find", [join(fixture.root, "_sluice"), "-type", "f"]).toString()).toBe("");
  });

  test("temporary files of killed processes go after a day, younger ones may be another's", async () => {
    const folder = join(fixture.root, "_sluice/.tmp");
    mkdirSync(folder, { recursive: true });
    for (const name of ["old", "young"]) writeFileSync(join(folder, name), "half a file");
    const dayBefore = Date.now() / 1000 - 25 * 3600;
    utimesSync(join(folder, "old"), dayBefore, dayBefore);
    await open().prepare({ flow: "accounts", run: RUN, generation: RUN, schema: SCHEMA, signal });
    expect(existsSync(join(folder, "old"))).toBe(false);
    expect(existsSync(join(folder, "young"))).toBe(true);
  });

  test("leaves nothing in the connection's temporary folder, come what may", async () => {
    await open().write(loadOf(records(2)), signal);
    fixture.breakable.onCall = (name, path) => {
      if (name === "link") throw errnoError("EIO", path);
    };
    await thrown(open().write(loadOf(records(2), { number: 1 }), signal));
    expect(execFileSync("find", [fixture.tmpDir, "-mindepth", "1"]).toString()).toBe("");
  });
});

describe("a name that is taken", () => {
  const path = () => join(fixture.root, "crm/accounts", `accounts-${RUN}-0-00000`);

  test("by other text: a conflict that says so, and the other's file stays", async () => {
    mkdirSync(join(fixture.root, "crm/accounts"), { recursive: true });
    writeFileSync(`${path()}.jsonl`, "somebody else's\n");
    const error = await thrown(open().write(loadOf(records(2)), signal));
    expect(error).toBeInstanceOf(InvariantError);
    expect(error).toMatchObject({ code: "FOLDER_KEY_CONFLICT", place: `${path()}.jsonl` });
    expect(readFileSync(`${path()}.jsonl`, "utf8")).toBe("somebody else's\n");
  });

  test("by an empty file: a conflict", async () => {
    mkdirSync(join(fixture.root, "crm/accounts"), { recursive: true });
    writeFileSync(`${path()}.parquet`, "");
    const writer = open({ format: "parquet", compression: "snappy" });
    expect(await thrown(writer.write(loadOf(records(2)), signal))).toMatchObject({
      code: "FOLDER_KEY_CONFLICT",
    });
  });

  test("by the same load in other bytes (another version of the writer): written before", async () => {
    const load = loadOf(records(200));
    await open({ format: "parquet", compression: "none" }).write(load, signal);
    const bytes = statSync(`${path()}.parquet`).size;
    const again = await open({ format: "parquet", compression: "zstd" }).write(load, signal);
    expect(again).toMatchObject({ repeated: true, records: 200, bytes });
  });

  test("a load of which some files are there is filled in, and is no repetition", async () => {
    const options = { partitionBy: ["active"] };
    const load = loadOf(records(4));
    let links = 0;
    fixture.breakable.onCall = (name, path) => {
      if (name === "link" && ++links === 2) throw errnoError("EIO", path);
    };
    expect(await thrown(open(options).write(load, signal))).toBeInstanceOf(TransientError);
    expect(fixture.files("crm/accounts")).toHaveLength(1);
    fixture.breakable.onCall = undefined;
    expect(await open(options).write(load, signal)).toMatchObject({ repeated: false, records: 4 });
    expect(fixture.files("crm/accounts")).toHaveLength(2);
  });
});

describe("check", () => {
  test("says where we are and what is free, and leaves nothing behind but the folder", async () => {
    const report = await fixture.connect().check(signal);
    expect(report).toMatchObject({ identity: fixture.root, warnings: [] });
    expect(report.details.free).toMatch(/^[\d.]+ [GM]B$/);
    expect(execFileSync("find", [fixture.root, "-type", "f"]).toString()).toBe("");
  });

  test("warns of a file system without links and of a disk that is nearly full", async () => {
    const poor = folderSink({
      ...nodeFileSystem,
      free: async () => 5_000_000,
      link: () => Promise.reject(errnoError("EPERM", "")),
    });
    const report = await poor.connect({ path: fixture.root }, makeContext(fixture.tmpDir)).check(signal);
    expect(report.warnings).toEqual([
      expect.stringMatching(/no hard links \(EPERM\)/),
      expect.stringMatching(/5 MB/),
    ]);
  });

  test("refuses a file, and a folder that cannot be written", async () => {
    writeFileSync(fixture.root, "");
    expect(await thrown(fixture.connect().check(signal))).toMatchObject({
      kind: "config",
      code: "FOLDER_NOT_A_FOLDER",
    });
    const locked = folderSink({
      ...nodeFileSystem,
      stat: nodeFileSystem.stat,
      makeFolder: () => Promise.reject(errnoError("EROFS", fixture.root)),
    });
    const sink = locked.connect({ path: join(fixture.dir, "x") }, makeContext(fixture.tmpDir));
    expect(await thrown(sink.check(signal))).toMatchObject({ kind: "config", code: "FOLDER_NOT_WRITABLE" });
  });
});

async function sql(text: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(text)).getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
