import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { RunDocument } from "../../../core/edge/cli/run-report.js";
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
  org = orgOf(25);
  landing = { failure: undefined, refused: undefined };
  cwd = folderWith({
    "sluice.yaml": "",
    "flows/accounts.yaml": flowText(
      "accounts",
      "validate: [{ field: Employees, rule: notNegative, onFail: deadLetter }]\nerrors: { maxRejected: 2 }",
    ),
    "flows/more.yaml": flowText("more"),
  });
  folderWrite("sluice.yaml", settings(join(cwd, "landed")));
});

function folderWrite(name: string, text: string): void {
  writeFileSync(join(cwd, name), text);
}

const line = (args: string, more: Partial<Setting> = {}): Promise<Outcome> =>
  runLine(args.split(" "), { cwd, connectors: fakeConnectors(org, landing), ...more });

function documents(outcome: Outcome): RunDocument[] {
  return outcome.json() as RunDocument[];
}

function landed(flow: string): string[] {
  const dir = join(cwd, "landed", flow);
  return readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), "utf8").trimEnd().split("\n"));
}

describe("run", () => {
  it("prints the array that scripts rely on, and nothing else on standard output", async () => {
    const outcome = await line("run accounts --json");
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toBe("");
    const [document, ...others] = documents(outcome);
    expect(others).toEqual([]);
    expect(Object.keys(document ?? {})).toEqual(
      expect.arrayContaining([
        ...[
          "flow",
          "run",
          "status",
          "trigger",
          "startedAt",
          "endedAt",
          "window",
          "records",
          "sinks",
          "apiCalls",
          "error",
        ],
      ]),
    );
    expect(document).toMatchObject({
      flow: "accounts",
      run: expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}$/),
      status: "succeeded",
      trigger: "onDemand",
      startedAt: expect.stringMatching(/Z$/),
      endedAt: expect.stringMatching(/Z$/),
      window: { from: null, to: "2026-02-01T00:00:00.000Z" },
      records: { fetched: 25, filtered: 0, dropped: 0, deadLettered: 0, loaded: 25, queued: 0 },
      apiCalls: 3,
      error: null,
    });
    const [sink] = document?.sinks ?? [];
    expect(sink).toMatchObject({
      connection: "files",
      target: join(cwd, "landed/accounts"),
      loads: 1,
      records: 25,
    });
    expect(sink?.files).toEqual([
      { path: expect.stringContaining(join(cwd, "landed/accounts")), records: 25, bytes: sink?.bytes },
    ]);
    expect(landed("accounts")).toHaveLength(25);
  });

  it("goes on where it stopped, reads windows and everything again", async () => {
    await line("run accounts");
    org.rows.push(account(25));
    expect(documents(await line("run accounts --json"))[0]?.records.fetched).toBe(1);
    const window = await line("run accounts --from 2026-01-01T00:00:03Z --to 2026-01-01T00:00:06Z --json");
    expect(documents(window)[0]?.records.fetched).toBe(3);
    expect(documents(await line("run accounts --json"))[0]?.records.fetched).toBe(0);
    expect(documents(await line("run accounts --full --json"))[0]?.records.fetched).toBe(26);
  });

  it("tells a person what happened in a few lines", async () => {
    org.rows[3] = account(3, { Employees: -1 });
    const { code, stdout, stderr } = await line("run accounts");
    expect(code).toBe(0);
    expect(stdout).toContain("accounts: succeeded in ");
    expect(stdout).toContain("25 fetched = 0 filtered + 0 dropped + 1 dead-lettered + 24 loaded + 0 queued");
    expect(stdout).toMatch(/^ {2}files +.*landed\/accounts +24 .* 1 +1$/m);
    expect(stdout).toContain("1 record was refused: sluice dead-letters list --flow accounts");
    expect(stderr).toBe("");
  });

  it("runs several flows one after the other, a failed one does not keep the next from running", async () => {
    folderWrite("flows/broken.yaml", flowText("broken").replace("stream: Account", "stream: Acount"));
    const outcome = await line("run broken more accounts --json");
    expect(outcome.code).toBe(2);
    expect(documents(outcome).map(({ flow, status }) => [flow, status])).toEqual([
      ["broken", "failed"],
      ["more", "succeeded"],
      ["accounts", "succeeded"],
    ]);
    expect(documents(outcome)[0]?.error).toMatchObject({ class: "config", code: "STREAM_UNKNOWN" });
    expect(outcome.stderr).toContain("error[STREAM_UNKNOWN]");
  });

  it("needs to know which flow, or --all", async () => {
    const { code, stderr, stdout } = await line("run");
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(
      "error[FLOW_NOT_NAMED]: which flow?\nfix: Name one or more of: accounts, more; --all",
    );
    expect(documents(await line("run --all --json")).map(({ flow }) => flow)).toEqual(["accounts", "more"]);
    expect((await line("run accounts --all")).code).toBe(2);
    expect((await line("run accounts --full --from 24h")).code).toBe(2);
    expect((await line("run accounts --from 1h --to 2h")).stderr).toContain("the window is empty");
  });

  it("refuses a flow with problems before anything runs, and runs others beside it", async () => {
    folderWrite("flows/bad.yaml", flowText("bad", "mapp: []"));
    const refused = await line("run more bad");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/^flows\/bad\.yaml:3:1 mapp: .*map/);
    expect(refused.stderr).toContain("error[PROJECT_INVALID]: 1 problem in 1 file; nothing was done");
    expect((await line("runs --json")).json()).toEqual([]);
    expect((await line("run more")).code).toBe(0);
    expect((await line("run --all")).code).toBe(2);
  });

  it("warns of problems of connections that the flow does not use, and refuses its own", async () => {
    const other = `  spare: { connector: landing, dir: "\${env:SPARE}" }\n`;
    folderWrite("sluice.yaml", settings(join(cwd, "landed")) + other);
    const outcome = await line("run accounts");
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(
      /^warning: sluice\.yaml:4:\d+ connections\.spare\.dir: .*SPARE is not set.*\n$/,
    );
    expect((await line("validate accounts")).code).toBe(2);
    expect((await line("run --all")).code).toBe(2);
    expect((await line("check crm")).code).toBe(0);
    expect((await line("check")).code).toBe(2);
    expect((await line("check spare")).stderr).toContain("error[PROJECT_INVALID]");
    folderWrite("flows/spare.yaml", flowText("spare").replace("connection: files", "connection: spare"));
    expect((await line("run spare")).code).toBe(2);
    folderWrite("sluice.yaml", `${settings(join(cwd, "landed"))}bufer: {}\n`);
    expect((await line("run accounts")).code).toBe(2);
  });

  it("exits with 3 where the login is refused, 1 where nobody answers", async () => {
    org.failure = refusedLogin();
    const login = await line("run accounts --json");
    expect(login.code).toBe(3);
    expect(documents(login)[0]).toMatchObject({
      status: "failed",
      error: { class: "auth", code: "ORG_LOGIN" },
    });
    expect(login.stderr).toContain("error[ORG_LOGIN] org: the login is refused\nfix: Renew the token.");
    org.failure = undefined;
    landing.failure = refusedLogin();
    expect((await line("run accounts")).code).toBe(3);
    org.failure = unreachable();
    landing.failure = undefined;
    expect((await line("check crm")).code).toBe(1);
  });

  it("exits with 4 where more was refused than the flow allows, with the rest loaded", async () => {
    for (const number of [1, 2, 3]) org.rows[number] = account(number, { Employees: -number });
    const outcome = await line("run accounts --json");
    expect(outcome.code).toBe(4);
    expect(documents(outcome)[0]).toMatchObject({
      status: "failed",
      records: { fetched: 25, deadLettered: 3, loaded: 22, queued: 0 },
      error: { code: "TOO_MANY_REJECTED" },
    });
  });

  it("cancels cleanly with 130, runs no further flow and resumes afterwards", async () => {
    const controller = new AbortController();
    org.beforePage = (page) => {
      if (page === 2) controller.abort("SIGINT");
    };
    const outcome = await line("run accounts more --json", { signal: controller.signal });
    expect(outcome.code).toBe(130);
    const [document, ...others] = documents(outcome);
    expect(others).toEqual([]);
    expect(document).toMatchObject({
      status: "cancelled",
      records: { fetched: 20 },
      error: { class: "cancelled" },
    });
    delete org.beforePage;
    const again = documents(await line("run accounts --json"))[0];
    expect(again?.records.fetched).toBe(5);
    expect(landed("accounts").map((text) => JSON.parse(text).Id)).toEqual(org.rows.map(({ Id }) => Id));
  });

  it("says why not while another process runs the flow", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reading = () => {};
    const started = new Promise<void>((resolve) => {
      reading = resolve;
    });
    org.beforePage = () => {
      reading();
      return held;
    };
    const first = line("run accounts --json");
    await started;
    const second = await line("run accounts --json");
    expect(second.code).toBe(1);
    expect(documents(second)[0]).toMatchObject({
      run: null,
      status: "failed",
      error: { code: "FLOW_RUNNING" },
    });
    expect((await line("status")).stdout).toMatch(/^accounts +running /m);
    release();
    expect((await first).code).toBe(0);
  });

  it("shows no secret in errors", async () => {
    folderWrite(
      "sluice.yaml",
      settings().replace("connector: org", `connector: org, token: "\${env:TOKEN}"`),
    );
    org.failure = new Error("401 for token sesame-open-1 at https://org/x?access_token=abc");
    const outcome = await line("run accounts -vv --json", { env: { TOKEN: "sesame-open-1" } });
    expect(outcome.code).toBe(1);
    expect(outcome.stdout + outcome.stderr).toContain("[redacted]");
    expect(outcome.stdout + outcome.stderr).not.toMatch(/sesame|abc/);
  });
});
