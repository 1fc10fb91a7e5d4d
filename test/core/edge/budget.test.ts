import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { folder } from "../../../connectors/folder/index.js";
import { salesforce } from "../../../connectors/salesforce/index.js";
import { type Clock, systemClock } from "../../../core/contracts/index.js";
import type { Connectors } from "../../../core/flow/types.js";
import { liveIds } from "../../e2e/scratch-project.js";
import { type SalesforceFake, startSalesforceFake } from "../../fakes/salesforce/index.js";
import { folderWith } from "./project.js";
import { runLine } from "./shell.js";

/*
 * The daily limit of a Salesforce org, through the command line: kept, shown, parked at, and gone on behind. Every command
 * opens the data directory anew, as a process of its own would.
 */

const ACCOUNTS = 240;
const connectors: Connectors = {
  sources: new Map([["salesforce", salesforce]]),
  sinks: new Map([["folder", folder]]),
};

let org: SalesforceFake;
let dir: string;
let aheadMs: number;
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

beforeEach(async () => {
  aheadMs = 0;
  org = await startSalesforceFake({
    clock,
    pageSize: 20,
    org: { accounts: ACCOUNTS, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
});
afterEach(() => org.close());

function project(budget: string): void {
  dir = folderWith({
    "sluice.yaml": `connections:
  crm:
    connector: salesforce
    instanceUrl: "\${env:SF_URL}"
    loginUrl: "\${env:SF_URL}"
    auth: { type: clientCredentials, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}" }
    ${budget}
  files: { connector: folder, path: landed }
`,
    "flows/accounts.yaml": `name: accounts
source: { connection: crm, stream: Account, mode: full, options: { api: rest } }
map: [{ from: Id, to: id }]
sinks:
  - { connection: files, path: accounts, format: jsonl, compression: none }
`,
  });
}

const line = (text: string) =>
  runLine(text.split(" "), { cwd: dir, env: { ...org.environment() }, connectors, clock });

function landed(): string[] {
  const root = join(dir, "landed");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(root, name), "utf8").trimEnd().split("\n"))
    .map((text) => String(JSON.parse(text).id))
    .sort();
}

describe("a daily limit", () => {
  it("parks the run at the reserve and shows it, asks nothing while it is parked, and resumes behind what was stored", async () => {
    project("budget: { reserve: 20% }");
    org.setDailyLimit(100, 70);
    const parked = await line("run accounts --json");
    expect(parked.code).toBe(1);
    const [document] = parked.json() as [Record<string, unknown>];
    expect(document).toMatchObject({
      status: "failed",
      error: {
        class: "rateLimit",
        code: "RATE_LIMIT_PARKED",
        message: "the API calls in 24 hours are used up, but for 20 that are kept for other applications",
        retryAt: expect.stringMatching(/^20\d\d-/),
      },
    });
    const { fetched, loaded } = document.records as { fetched: number; loaded: number };
    expect(fetched).toBeGreaterThan(0);
    expect(fetched).toBeLessThan(ACCOUNTS);
    // What was read before is loaded: a parked run leaves nothing half done.
    expect(loaded).toBe(fetched);
    // All that the reserve leaves, and none of the reserve.
    expect(org.apiUsage().used).toBe(80);

    const status = await line("status --json");
    expect(status.json()).toMatchObject({
      flows: [{ flow: "accounts", state: "failed", parkedUntil: expect.any(String) }],
      budgets: [
        {
          connection: "crm",
          buckets: [
            { bucket: "daily", used: 80, limit: 100, reserve: 20, left: 0, waitsUntil: expect.any(String) },
            { bucket: "concurrent", used: 0, limit: 25, reserve: 5, left: 20 },
            { bucket: "bulkJobs", used: 0, limit: 10_000, reserve: 2_000, left: 8_000 },
          ],
        },
      ],
    });
    const shown = (await line("status")).stdout;
    expect(shown).toMatch(/^accounts +parked/m);
    expect(shown).toMatch(
      /accounts is parked until [\d: -]+ \(UTC\); a run after that goes on where it stopped\./,
    );
    expect(shown).toMatch(/crm +API calls in 24 hours +80 +100 +20 +0 /);

    const again = await line("run accounts");
    expect(again.code).toBe(1);
    expect(again.stdout).toMatch(
      /parked +until [\d: -]+ \(UTC\): a run after that goes on where this one stopped/,
    );
    expect(org.apiUsage().used).toBe(80);

    aheadMs += 3_660_000;
    org.setDailyLimit(100, 0);
    const resumed = await line("run accounts --json");
    expect(resumed.code).toBe(0);
    const [rest] = resumed.json() as [{ records: { fetched: number } }];
    expect(rest.records.fetched).toBe(liveIds(org, "Account").length - fetched);
    expect(landed()).toEqual(liveIds(org, "Account"));
    expect((await line("status --json")).json()).toMatchObject({ flows: [{ parkedUntil: null }] });
  });

  it("that the org refuses at parks every other run as well, without another call", async () => {
    project("");
    org.faults.set({
      rules: [{ path: "/query", on: { nth: 3 }, fault: { kind: "status", preset: "dailyLimit" } }],
    });
    const parked = await line("run accounts --json");
    expect(parked.json()).toMatchObject([
      { error: { code: "SALESFORCE_REQUEST_LIMIT_EXCEEDED", retryAt: expect.any(String) } },
    ]);
    const { used } = org.apiUsage();
    expect((await line("run accounts --json")).json()).toMatchObject([
      { error: { code: "RATE_LIMIT_PARKED", retryAt: expect.any(String) }, records: { fetched: 0 } },
    ]);
    expect(org.apiUsage().used).toBe(used);
    aheadMs += 3_600_000;
    expect((await line("run accounts --json")).code).toBe(0);
    expect(landed()).toEqual(liveIds(org, "Account"));
  });

  it("is what plan forecasts against", async () => {
    project("budget: { reserve: 50% }");
    org.setDailyLimit(20, 4);
    const { code, stdout } = await line("plan accounts");
    expect(code).toBe(0);
    expect(stdout).toMatch(/about 1 API call/);
    const report = (await line("plan accounts --json")).json() as Record<string, unknown>;
    expect(report).toMatchObject({
      durationMs: expect.any(Number),
      budget: [{ bucket: "daily", calls: 1, limit: 20, reserve: 10, waitMs: 0 }],
    });
  });

  it("is brought up to date by check, which reads the org's limits", async () => {
    project("budget: { reserve: 10% }");
    org.setDailyLimit(1_000, 400);
    expect((await line("check crm")).code).toBe(0);
    const { used } = org.apiUsage();
    const report = (await line("status --json")).json() as { budgets: { buckets: { used: number }[] }[] };
    expect(report.budgets[0]?.buckets[0]).toMatchObject({ limit: 1_000, reserve: 100 });
    expect(Math.abs((report.budgets[0]?.buckets[0]?.used ?? 0) - used)).toBeLessThanOrEqual(1);
  });
});

describe("budget in sluice.yaml", () => {
  const complaint = async (budget: string, sink = "") => {
    dir = folderWith({
      "sluice.yaml": `connections:
  crm: { connector: salesforce, instanceUrl: "http://127.0.0.1:1", auth: { type: accessToken, accessToken: x }, budget: ${budget} }
  files: { connector: folder, path: landed${sink} }
`,
    });
    const { code, stderr, stdout } = await line("validate");
    return { code, text: `${stdout}${stderr}` };
  };

  it("takes a share", async () => {
    expect((await complaint("{ reserve: 12.5% }")).text).not.toContain("budget");
  });

  it.each([
    ["{ reserve: 20 }", "expected a share below 100% such as 20%"],
    ["{ reserve: 100% }", "expected a share below 100% such as 20%"],
    ["{ reserve: -1% }", "expected a share below 100% such as 20%"],
    ["{ reserved: 20% }", "reserve"],
    ["20%", "expected a budget such as { reserve: 20% }"],
  ])("refuses %s", async (budget, message) => {
    const { code, text } = await complaint(budget);
    expect(code).toBe(2);
    expect(text).toMatch(/sluice\.yaml:2:\d+ connections\.crm\.budget/);
    expect(text).toContain(message);
  });

  it("refuses one for a sink", async () => {
    const { code, text } = await complaint("{}", ", budget: { reserve: 1% }");
    expect(code).toBe(2);
    expect(text).toMatch(
      /sluice\.yaml:3:\d+ connections\.files\.budget: expected no budget: folder is a sink/,
    );
  });
});
