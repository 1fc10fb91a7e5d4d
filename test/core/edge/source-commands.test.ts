import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ExactNumber } from "../../../core/contracts/index.js";
import {
  account,
  fakeConnectors,
  type Landing,
  type Org,
  orgOf,
  refusedLogin,
  unreachable,
} from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

let org: Org;
let landing: Landing;
let cwd: string;

beforeEach(() => {
  org = orgOf(12);
  landing = { failure: undefined, refused: undefined };
  cwd = folderWith({
    "sluice.yaml": settings("/nowhere/landed"),
    "flows/accounts.yaml": flowText(
      "accounts",
      "filter: [{ field: Employees, greaterThan: 5 }]\nvalidate: [{ field: Revenue, rule: notNegative }]",
    ),
  });
});

const line = (args: string, more: Partial<Setting> = {}): Promise<Outcome> =>
  runLine(args.split(" "), { cwd, connectors: fakeConnectors(org, landing), ...more });

describe("check", () => {
  it("says who we are, what is worth knowing and what is missing", async () => {
    const { code, stdout, stderr } = await line("check");
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toBe(
      [
        "crm (org, source): ok, ada@example.com",
        "  API calls left: 14,998",
        "  warning: no right to read Contract: ask the administrator for it",
        "",
        "files (landing, sink): ok, /nowhere/landed",
        "",
      ].join("\n"),
    );
  });

  it("goes on after a failure and exits with the code of its class", async () => {
    org.failure = refusedLogin();
    const outcome = await line("check --json");
    expect(outcome.code).toBe(3);
    expect(outcome.json()).toMatchObject([
      { connection: "crm", role: "source", identity: null, error: { class: "auth", code: "ORG_LOGIN" } },
      { connection: "files", role: "sink", identity: "/nowhere/landed", error: null },
    ]);
    org.failure = unreachable();
    const text = await line("check crm");
    expect(text.code).toBe(1);
    expect(text.stdout).toBe("crm (org, source): failed\n  error[ORG_DOWN] org: the org does not answer\n");
  });

  it("refuses a mistyped name before it connects", async () => {
    const { code, stderr } = await line("check crm file");
    expect(code).toBe(2);
    expect(stderr).toContain(
      "error[CONNECTION_UNKNOWN] sluice.yaml: there is no connection named file (did you mean files?)",
    );
  });
});

describe("discover", () => {
  it("lists streams, with the reason where one cannot be read", async () => {
    const { code, stdout } = await line("discover crm");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Account +Accounts +yes$/m);
    expect(stdout).toMatch(/^Vote +Votes +no: needs a filter by parent$/m);
    expect(stdout).toContain("2 streams, 1 readable");
  });

  it("describes a stream: fields with types, key, cursor", async () => {
    const { stdout } = await line("discover crm Account");
    expect(stdout).toContain("Account: 5 fields\nkey     Id\ncursor  Changed, lookback 0 ms\n");
    expect(stdout).toMatch(/^Id +string +key$/m);
    expect(stdout).toMatch(/^Name +string +filtered here, not at the source$/m);
    expect(stdout).toMatch(/^Revenue +decimal\(18,2\)$/m);
    expect((await line("discover crm Account --json")).json()).toMatchObject({
      stream: "Account",
      primaryKey: ["Id"],
      cursors: ["Changed"],
      fields: [{ name: "Id", type: "string" }, {}, {}, {}, {}],
    });
  });

  it("refuses sinks and unknown streams", async () => {
    const sink = await line("discover files");
    expect(sink.code).toBe(2);
    expect(sink.stderr).toContain(
      "files is a sink (landing); only sources have streams\nfix: Name one of: crm.",
    );
    expect((await line("discover crm Acount")).stderr).toContain("error[STREAM_UNKNOWN]");
  });
});

describe("plan and preview", () => {
  it("plan says what a run would do and does nothing", async () => {
    const { code, stdout } = await line("plan accounts");
    expect(code).toBe(0);
    expect(stdout).toContain("accounts: about 12 records, about 2 API calls");
    expect(stdout).toMatch(/^ {2}query {9}SELECT .* FROM Account$/m);
    expect(stdout).toContain("filtered here Employees greaterThan 5");
    expect(stdout).toMatch(/^ {2}Revenue +decimal$/m);
    expect(stdout).toContain(
      "sink files -> /nowhere/landed/accounts\n  creates the folder /nowhere/landed/accounts",
    );
    expect((await line("plan accounts --json")).json()).toMatchObject({
      flow: "accounts",
      records: 12,
      queued: 0,
    });
    expect((await line("runs --json")).json()).toEqual([]);
    expect(existsSync("/nowhere")).toBe(false);
  });

  it("preview shows source and mapped record, filtered and refused ones, and keeps every digit", async () => {
    org.rows[7] = account(7, { Revenue: -1 });
    org.rows[8] = account(8, { Revenue: new ExactNumber("1234567890123456.25") });
    const { code, stdout } = await line("preview accounts --limit 9");
    expect(code).toBe(0);
    expect(stdout).toContain('#1 filtered\n  source  {"Id":"00100000"');
    expect(stdout).toMatch(/#7 mapped\n {2}source {2}\{"Id":"00100006".*\n {2}mapped {2}\{"Id":"00100006"/);
    expect(stdout).toMatch(/#8 rejected: .*notNegative.*-1/);
    expect(stdout).toContain('"Revenue":1234567890123456.25');
    expect(stdout).toContain("9 records: 2 mapped, 6 filtered, 1 rejected");
    expect((await line("preview accounts --json")).json()).toHaveLength(10);
    expect((await line("runs --json")).json()).toEqual([]);
  });
});

describe("init", () => {
  it("writes a project and says what to do next", async () => {
    const dir = folderWith({});
    const { code, stdout } = await runLine(["init", "sales"], { cwd: dir });
    expect(code).toBe(0);
    expect(stdout).toContain(
      "wrote sales/sluice.yaml\nwrote sales/flows/first-flow.yaml\nwrote sales/.gitignore\n",
    );
    expect(stdout).toContain('  cd sales\n  export SF_URL="<https://your-domain.my.salesforce.com>"');
    expect(readFileSync(join(dir, "sales/.gitignore"), "utf8")).toBe(".sluice/\nlanded/\n");
  });

  it("overwrites nothing", async () => {
    const dir = folderWith({ "flows/first-flow.yaml": "mine", ".gitignore": "mine" });
    const { code, stderr } = await runLine(["init"], { cwd: dir });
    expect(code).toBe(2);
    expect(stderr).toContain("error[INIT_EXISTS]: flows/first-flow.yaml already exists; nothing was written");
    expect(existsSync(join(dir, "sluice.yaml"))).toBe(false);
    const other = folderWith({ ".gitignore": "mine" });
    expect((await runLine(["init", "--json"], { cwd: other })).code).toBe(0);
    expect(readFileSync(join(other, ".gitignore"), "utf8")).toBe("mine");
    expect((await runLine(["init"], { cwd: other })).code).toBe(2);
  });
});
