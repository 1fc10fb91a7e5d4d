import { describe, expect, it } from "vitest";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { landedIds, liveIds, ScratchProject, struck } from "./scratch-project.js";

// Several processes on the daily calls of one org: together they stop at the reserve, and a killed one leaves nothing stuck.

/** Real processes on a machine that may be busy. */
const OPTIONS = { concurrent: true, timeout: 120_000 };
const AUTH = `{ type: clientCredentials, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}" }`;
const jsonl = (path: string) => `{ connection: files, path: ${path}, format: jsonl, compression: none }`;

/** `records`: of either kind, ten of them a call. */
async function withOrg(
  records: number,
  work: (org: SalesforceFake, project: ScratchProject) => Promise<void>,
): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 10,
    org: { accounts: records, contacts: records, opportunities: 0, invoices: 0, users: 3 },
  });
  const project = new ScratchProject(org, {
    connections: {
      salesforce: `{ connector: salesforce, instanceUrl: "\${env:SF_URL}", auth: ${AUTH}, budget: { reserve: 20% } }`,
    },
  });
  // Bulk would read each in a handful of calls.
  const options = "source: { connection: salesforce, options: { api: rest },";
  const flow = (name: string, stream: string) =>
    project.write({
      [`flows/${name}.yaml`]: `name: ${name}
${options} stream: ${stream} }
map: [{ from: Id, to: Id }]
sinks: [${jsonl(name)}]
`,
    });
  flow("accounts", "Account");
  flow("contacts", "Contact");
  try {
    await work(org, project);
  } finally {
    await org.close();
    project.remove();
  }
}

describe("one org's daily calls", OPTIONS, () => {
  it("are shared by two processes, which stop at the reserve", async () => {
    // Either alone needs more than the 40 that are left above the reserve: whichever begins first cannot end.
    await withOrg(500, async (org, project) => {
      org.setDailyLimit(100, 40);
      const [one, two] = await Promise.all([project.run("accounts"), project.run("contacts")]);
      for (const { code, document } of [one, two]) {
        expect(code).toBe(1);
        expect(document.error).toMatchObject({ code: "RATE_LIMIT_PARKED" });
      }
      // Neither a call of the reserve, nor many left over to a grant that nobody used.
      expect(org.apiUsage().used).toBeLessThanOrEqual(80);
      expect(org.apiUsage().used).toBeGreaterThanOrEqual(77);
      // A check is let through nothing either: it would be a call of the reserve.
      const { used } = org.apiUsage();
      expect((await project.line("check salesforce")).code).toBe(1);
      expect(org.apiUsage().used).toBeLessThanOrEqual(used + 1);
    });
  });

  it("that a killed process had taken do not keep the next one from working", async () => {
    await withOrg(300, async (org, project) => {
      for (let page = 2; page < 8; page++) {
        org.faults.set({
          rules: [{ path: "/query/", on: { nth: page }, fault: { kind: "slow", delayMs: 100_000 } }],
        });
        const run = project.start("run accounts --json");
        await struck(org, "slow", run);
        run.child.kill("SIGKILL");
        await run.exit;
      }
      org.faults.set({ rules: [] });
      const before = Date.now();
      const { code } = await project.run("accounts");
      expect(code).toBe(0);
      // No place of a dead process was waited for.
      expect(Date.now() - before).toBeLessThan(60_000);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
      const status = JSON.parse((await project.line("status --json")).stdout);
      expect(status.budgets[0].buckets[0]).toMatchObject({ bucket: "daily", used: org.apiUsage().used });
      expect(status.budgets[0].buckets[1]).toMatchObject({ bucket: "concurrent", used: 0, left: 20 });
    });
  });
});
