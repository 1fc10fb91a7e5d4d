import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { projectRoot } from "../root.js";
import { type SluiceExit, sluice, startSluice } from "../sluice-process.js";

const ACCOUNTS = 1_000;

let fake: SalesforceFake;
let dir: string;
let env: Record<string, string>;

beforeEach(async () => {
  fake = await startSalesforceFake({
    pageSize: 200,
    org: { accounts: ACCOUNTS, contacts: 0, opportunities: 0, invoices: 0 },
  });
  env = fake.environment();
  dir = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
  const made = await sluice(["init"], { cwd: dir });
  expect(made).toMatchObject({ code: 0, stderr: "" });
});

afterEach(async () => {
  await fake.close();
  rmSync(dir, { recursive: true, force: true });
});

const line = (args: string): Promise<SluiceExit> => sluice(args.split(" "), { cwd: dir, env });

interface Run {
  readonly status: string;
  readonly records: Readonly<Record<string, number>>;
  readonly error: { readonly code: string } | null;
  readonly sinks: readonly {
    readonly files: readonly { readonly path: string; readonly records: number }[];
  }[];
}

function runsOf({ stdout }: SluiceExit): Run[] {
  return JSON.parse(stdout) as Run[];
}

/** Records that a first run finds: some of the generated ones are deleted. */
async function live(): Promise<number> {
  const plan = await line("plan first-flow --json");
  return JSON.parse(plan.stdout).records;
}

/** Resolves once the fake has struck a request with this fault. */
async function struck(kind: string): Promise<void> {
  while ((fake.faults.struck[kind] ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("the command line as a process", () => {
  it("takes a new user from init to an answer by SQL", async () => {
    expect(await line("validate")).toMatchObject({ code: 0, stdout: "ok: 1 flow is valid\n", stderr: "" });
    const check = await line("check");
    expect(check.code).toBe(0);
    expect(check.stdout).toMatch(/^salesforce \(salesforce, source\): ok, integration@sluice\.example/m);
    expect(check.stdout).toMatch(/^lake \(folder, sink\): ok, /m);
    const preview = await line("preview first-flow --limit 2");
    expect(preview.stdout).toMatch(/#1 mapped\n {2}source {2}\{"Id":.*\n {2}mapped {2}\{"account_id":/);
    const expected = await live();

    const run = await line("run first-flow --json");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const [document] = runsOf(run);
    expect(document).toMatchObject({ status: "succeeded", records: { fetched: expected, loaded: expected } });
    const files = document?.sinks[0]?.files ?? [];
    expect(files.length).toBeGreaterThan(0);
    for (const { path } of files) expect(existsSync(path)).toBe(true);

    const query = await line("query --json");
    expect(JSON.parse(query.stdout)).toEqual([{ name: "first_flow", origin: "lake: 1 parquet file" }]);
    const count = await sluice(
      ["query", "select count(*) as n, count(distinct account_id) as ids from first_flow", "--json"],
      { cwd: dir, env },
    );
    expect(JSON.parse(count.stdout)).toEqual([{ n: String(expected), ids: String(expected) }]);
    const status = await line("status --json");
    expect(JSON.parse(status.stdout).flows[0]).toMatchObject({
      state: "succeeded",
      deadLetters: 0,
      openLoads: 0,
    });
  });

  it("names the variable that is missing, with its place", async () => {
    const { SF_URL: _, ...others } = env;
    const missing = await sluice(["run", "first-flow"], { cwd: dir, env: others });
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(
      /^sluice\.yaml:\d+:\d+ connections\.salesforce\.instanceUrl: .*SF_URL is not set/m,
    );
    expect(missing.stderr).toContain("error[PROJECT_INVALID]");
  });

  it("exits with 3 where the login is refused, and shows no secret at the highest verbosity", async () => {
    const refused = await sluice(["run", "first-flow", "--json", "-vv"], {
      cwd: dir,
      env: { ...env, SF_CLIENT_SECRET: "wrong-but-still-secret" },
    });
    expect(refused.code).toBe(3);
    expect(runsOf(refused)[0]).toMatchObject({ status: "failed" });
    expect(refused.stdout + refused.stderr).not.toContain("wrong-but-still-secret");
    for (const text of refused.stderr.split("\n").filter((text) => text.startsWith("{"))) JSON.parse(text);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s stops a run cleanly, and the next one goes on",
    async (signal) => {
      fake.faults.add({ path: "/query/", on: { nth: 3 }, fault: { kind: "slow", delayMs: 120_000 } });
      const running = startSluice(["run", "first-flow", "--json"], { cwd: dir, env });
      await struck("slow");
      running.child.kill(signal);
      const stopped = await running.exit;
      expect(stopped.code).toBe(130);
      expect(stopped.stderr).toContain(`${signal}: stopping cleanly`);
      const [document] = runsOf(stopped);
      expect(document).toMatchObject({ status: "cancelled", error: { code: "CANCELLED" } });
      const before = document?.records.fetched ?? 0;
      fake.faults.clear();
      const expected = await live();
      const rest = runsOf(await line("run first-flow --json"))[0];
      expect(rest).toMatchObject({ status: "succeeded" });
      const { stdout } = await sluice(
        [
          "query",
          "select count(*)::int as n, count(distinct account_id)::int as ids from first_flow",
          "--json",
        ],
        { cwd: dir, env },
      );
      const [counted] = JSON.parse(stdout) as [{ n: number; ids: number }];
      expect(counted.ids).toBe(counted.n);
      expect(counted.n).toBe(before + (rest?.records.fetched ?? 0));
      expect(counted.n).toBeGreaterThanOrEqual(expected);
    },
  );

  it("lets other processes look while one runs, and says why a second run cannot", async () => {
    fake.faults.add({ path: "/query/", on: { nth: 3 }, fault: { kind: "slow", delayMs: 120_000 } });
    const running = startSluice(["run", "first-flow", "--json"], { cwd: dir, env });
    await struck("slow");
    const [status, runs, queues, second] = await Promise.all([
      line("status"),
      line("runs --json"),
      line("queue list --json"),
      line("run first-flow"),
    ]);
    expect(status.stdout).toMatch(/^first-flow +running /m);
    expect(status.stdout).toContain(`is being run by process ${running.child.pid} on `);
    expect(runsOf(runs)[0]).toMatchObject({ status: "running" });
    expect(JSON.parse(queues.stdout)).toHaveLength(2);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/error\[FLOW_RUNNING\].*\nfix: /);
    running.child.kill("SIGINT");
    expect((await running.exit).code).toBe(130);
  });

  it("tells of a run that was killed, and the next one goes on", async () => {
    fake.faults.add({ path: "/query/", on: { nth: 3 }, fault: { kind: "slow", delayMs: 120_000 } });
    const running = startSluice(["run", "first-flow"], { cwd: dir, env });
    await struck("slow");
    running.child.kill("SIGKILL");
    expect((await running.exit).signal).toBe("SIGKILL");
    fake.faults.clear();
    const status = await line("status");
    expect(status.stdout).toMatch(/^first-flow +interrupted /m);
    expect(status.stdout).toContain("was interrupted; the next run goes on from the last checkpoint");
    expect((await line("run first-flow")).code).toBe(0);
    expect((await line("status")).stdout).toMatch(/^first-flow +succeeded /m);
  });

  it("ends quietly when the reader of its output leaves", async () => {
    const main = join(projectRoot(), "dist/cli/main.js");
    const sql = "select range, repeat('x', 100) from range(200000)";
    const child = spawn(
      "bash",
      ["-o", "pipefail", "-c", `"$0" "$1" query "$2" --json | head -c 100`, process.execPath, main, sql],
      { cwd: dir, env: { ...process.env, ...env } },
    );
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(stdout).toHaveLength(100);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("writes its whole result before it ends", async () => {
    const sql = "select range, repeat('x', 100) as filler from range(50000)";
    const { stdout, code } = await sluice(["query", sql, "--json"], { cwd: dir, env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveLength(50_000);
  });

  it("puts each refused record where it can be seen, and sends it again once the flow allows it", async () => {
    const file = join(dir, "flows/first-flow.yaml");
    const flow = readFileSync(file, "utf8");
    const strict = "{ field: industry, rule: in, values: [Banking, Media], onFail: deadLetter }";
    writeFileSync(
      file,
      flow
        .replace("{ field: name, rule: notNull, onFail: deadLetter }", strict)
        .replace("maxRejected: 1%", "maxRejected: 100%"),
    );
    const [first] = runsOf(await line("run first-flow --json"));
    const refused = first?.records.deadLettered ?? 0;
    expect(refused).toBeGreaterThan(0);
    const letters = JSON.parse((await line("dead-letters list --limit 0 --json")).stdout);
    expect(letters).toHaveLength(refused);
    const shown = JSON.parse((await line(`dead-letters show ${letters[0].messageId} --json`)).stdout);
    expect(shown.record).toHaveProperty("Industry");
    writeFileSync(file, flow);
    const redrive = await line("dead-letters redrive --flow first-flow --json");
    expect(redrive.code).toBe(0);
    expect(JSON.parse(redrive.stdout)[0]).toMatchObject({ redriven: refused, stillRejected: [] });
    expect(JSON.parse((await line("dead-letters list --json")).stdout)).toEqual([]);
  });
});
