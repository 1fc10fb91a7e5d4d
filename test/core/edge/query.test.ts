import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { beforeEach, describe, expect, it } from "vitest";
import type { SinkConnector } from "../../../core/contracts/index.js";
import type { Connectors } from "../../../core/flow/types.js";
import { projectRoot } from "../../root.js";
import { VirtualClock } from "../../virtual-clock.js";
import { account, fakeConnectors, type Org, orgOf } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

let org: Org;
let cwd: string;

beforeEach(() => {
  org = orgOf(25);
  cwd = folderWith({ "sluice.yaml": "", "flows/big-accounts.yaml": flowText("big-accounts") });
  writeFileSync(join(cwd, "sluice.yaml"), settings(join(cwd, "landed")));
});

const query = (
  sql: string,
  more: Partial<Setting> & { readonly args?: readonly string[] } = {},
): Promise<Outcome> =>
  runLine(["query", sql, ...(more.args ?? [])], { cwd, connectors: fakeConnectors(org), ...more });

const run = (more: Partial<Setting> = {}) =>
  runLine(["run", "big-accounts"], { cwd, connectors: fakeConnectors(org), ...more });

describe("query", () => {
  it("asks the files of all runs of a flow by the flow's name", async () => {
    await run();
    org.rows.push(account(25, { Name: "日本 | \u001b[2J" }));
    await run();
    const { code, stdout, stderr } = await query(
      "select count(*) n, max(Name) filter (Employees = 25) as name from big_accounts",
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toBe(" n  name\n26  日本 | \\u001b[2J\n\n1 row\n");
    const listed = await runLine(["query"], { cwd, connectors: fakeConnectors(org) });
    expect(listed.stdout).toMatch(/^big_accounts +files: 2 jsonl files$/m);
  });

  it("asks what a flow landed even when its file is gone or cannot be read", async () => {
    await run();
    writeFileSync(join(cwd, "flows/big-accounts.yaml"), "name: [");
    const { stdout, stderr } = await query("select count(*) n from big_accounts");
    expect(stdout).toContain(" n\n25\n");
    expect(stderr).toMatch(/^warning: the project has 1 problem; /);
  });

  it("prints exact text in JSON", async () => {
    const outcome = await query(
      "select 9007199254740993::bigint as big, 12345678901234567890.12::decimal(38,2) as exact, 7 as small, null as nothing, [1,2] as list",
      { args: ["--json"] },
    );
    expect(outcome.json()).toEqual([
      { big: "9007199254740993", exact: "12345678901234567890.12", small: 7, nothing: null, list: [1, 2] },
    ]);
  });

  it.each([
    ["selec 1", /^error\[SQL\] query:1:1: Parser Error: syntax error at or near "selec"\n/],
    [
      "select *\n  from big_acounts",
      /^error\[SQL\] query:2:8: Catalog Error: Table with name big_acounts does not exist/,
    ],
    ["select 'a'::int", /^error\[SQL\] query:1:11: Conversion Error: .*'a'/],
    [" ", /^error\[SQL\] query: the query is empty\n/],
  ])("says in one sentence what is wrong with %j", async (sql, expected) => {
    const { code, stderr, stdout } = await query(sql);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(expected);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("prints as many rows as asked for and tells of more", async () => {
    const { stdout, stderr } = await query("select * from range(1000)", { args: ["--limit", "2"] });
    expect(stdout).toBe("range\n    0\n    1\n\n2 rows\n");
    expect(stderr).toBe("The first 2 rows; --limit 20 shows more.\n");
    expect((await query("select * from range(1000)")).stdout).toContain("\n100 rows\n");
    expect((await query("select * from range(1000)", { args: ["--json"] })).json()).toHaveLength(1000);
    expect((await query("select 1 where false")).stdout).toBe("1\n\n0 rows\n");
  });

  it.each([0, 1, 200])("is cancelled by the signal, %d ms after it began", async (ms) => {
    const endless = "select sum(sqrt(a.range + b.range)) from range(1000000) a, range(1000000) b";
    const { code, stdout, stderr } = await query(endless, { signal: AbortSignal.timeout(ms) });
    expect(code).toBe(130);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error\[CANCELLED\]/);
  });

  it("answers about nothing where nothing has run", async () => {
    expect((await query("select 1 as one")).stdout).toBe("one\n  1\n\n1 row\n");
    const listed = await runLine(["query"], { cwd, connectors: fakeConnectors(org) });
    expect(listed.stdout).toBe("Nothing has landed yet: run a flow first.\n");
  });
});

/** The sink of the tests with one more way to reach what it holds. */
function withSink(change: (sink: ReturnType<SinkConnector["connect"]>) => object): Connectors {
  const { sources, sinks } = fakeConnectors(org);
  const landing = sinks.get("landing");
  if (landing === undefined) throw new Error("no landing");
  const connect: SinkConnector["connect"] = (config, context) => {
    const sink = landing.connect(config, context);
    return { ...sink, ...change(sink) };
  };
  return { sources, sinks: new Map([["landing", { ...landing, connect }]]) };
}

describe("query over databases", () => {
  it("attaches a connection's database read-only, under its name and in the search path", async () => {
    const file = join(cwd, "w'h.duckdb");
    const instance = await DuckDBInstance.create(file);
    const connection = await instance.connect();
    await connection.run(
      "create table accounts as select 1 as id; create table _sluice_loads as select 1; create schema sales; create table sales.deals as select 2 as id",
    );
    connection.closeSync();
    instance.closeSync();
    const connectors = withSink(() => ({ databaseFile: file }));
    for (const table of ["accounts", "files.accounts", "files.main.accounts"]) {
      expect((await query(`select id from ${table}`, { connectors, args: ["--json"] })).json()).toEqual([
        { id: 1 },
      ]);
    }
    for (const table of ["sales.deals", "files.sales.deals", "deals"]) {
      expect((await query(`select id from ${table}`, { connectors, args: ["--json"] })).json()).toEqual([
        { id: 2 },
      ]);
    }
    const write = await query("insert into accounts values (2)", { connectors });
    expect(write.code).toBe(2);
    expect(write.stderr).toContain("read-only");
    const listed = await runLine(["query", "--json"], { cwd, connectors });
    expect(listed.json()).toEqual([
      { name: "accounts", origin: "files" },
      { name: "sales.deals", origin: "files" },
    ]);
  });

  it("answers from the rest while a database is not there or cannot be read", async () => {
    const missing = withSink(() => ({ databaseFile: join(cwd, "missing.duckdb") }));
    expect(await query("select 1 as one", { connectors: missing })).toMatchObject({ code: 0, stderr: "" });
    const file = join(cwd, "damaged.duckdb");
    writeFileSync(file, "this is no database, whatever its name says".repeat(200));
    const damaged = await query("select 1 as one", { connectors: withSink(() => ({ databaseFile: file })) });
    expect(damaged.code).toBe(0);
    expect(damaged.stderr).toMatch(/^warning: files cannot be queried: /);
  });
});

describe("query over a database that another process writes to", () => {
  it("waits for its turn, and leaves it out when that takes too long", async () => {
    const file = join(cwd, "busy.duckdb");
    // DuckDB's lock is between processes, so another one has to hold it.
    const holder = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { DuckDBInstance } from "@duckdb/node-api";
         const instance = await DuckDBInstance.create(process.argv[1]);
         const connection = await instance.connect();
         await connection.run("create table accounts as select 7 as id");
         process.stdout.write("held");
         process.stdin.on("data", () => { connection.closeSync(); instance.closeSync(); process.exit(); });`,
        file,
      ],
      { cwd: projectRoot(), stdio: ["pipe", "pipe", "inherit"] },
    );
    const ended = once(holder, "close");
    try {
      await once(holder.stdout, "data");
      const connectors = withSink(() => ({ databaseFile: file }));
      const clock = new VirtualClock();
      const refused = query("select 1 as one", { connectors, clock });
      let answered = false;
      refused.finally(() => {
        answered = true;
      });
      while (!answered) await clock.advance(100);
      const outcome = await refused;
      expect(outcome.code).toBe(0);
      expect(outcome.stderr).toBe(
        `warning: files cannot be queried: another process is writing to ${file}; ask again later\n`,
      );
      const waiting = query("select id from accounts", { connectors, args: ["--json"] });
      holder.stdin.write("release");
      expect((await waiting).json()).toEqual([{ id: 7 }]);
    } finally {
      holder.kill();
      await ended;
    }
  });
});

describe("query over files that only the connection can read", () => {
  /** Files land as `mem://bucket/<path>`; `download` gives them back. */
  function remote(downloaded: string[]): Connectors {
    return withSink((sink) => ({
      open: (target: unknown, flow: string) => {
        const writer = sink.open(target, flow);
        return {
          ...writer,
          write: async (...args: Parameters<typeof writer.write>) => {
            const receipt = await writer.write(...args);
            return {
              ...receipt,
              files: receipt.files.map((file) => ({ ...file, path: `mem://bucket${file.path}` })),
            };
          },
        };
      },
      download: async function* (path: string) {
        downloaded.push(path);
        yield readFileSync(path.replace("mem://bucket", ""));
      },
    }));
  }

  it("copies them here when the query names the flow, and not otherwise", async () => {
    const downloaded: string[] = [];
    const connectors = remote(downloaded);
    mkdirSync(join(cwd, "landed"));
    await run({ connectors });
    expect((await query("select 1 as one", { connectors })).code).toBe(0);
    const listed = await runLine(["query"], { cwd, connectors });
    expect(listed.stdout).toMatch(/^big_accounts +files: 1 jsonl file, copied here when asked for$/m);
    expect(downloaded).toEqual([]);
    const outcome = await query("select count(*) as n from Big_Accounts", { connectors });
    expect(outcome.stdout).toContain(" n\n25\n");
    expect(outcome.stderr).toMatch(/^Copying 1 file \(.* kB\) of big-accounts from files\.\n$/);
    expect(downloaded).toHaveLength(1);
  });

  it("says so where the connection cannot hand them out", async () => {
    await run({ connectors: remote([]) });
    const { stderr, code } = await query("select * from big_accounts", {
      connectors: withSink(() => ({ download: undefined })),
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^warning: big-accounts cannot be queried: the files of files can only be read where they are\n/,
    );
  });
});
