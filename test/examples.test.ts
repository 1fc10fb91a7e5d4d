import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Fake, startS3Fake } from "./fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "./fakes/salesforce/index.js";
import { type SlackFake, startSlackFake } from "./fakes/slack/index.js";
import { startZendeskFake, type ZendeskFake } from "./fakes/zendesk/index.js";
import { projectRoot } from "./root.js";
import { sluice } from "./sluice-process.js";

/* Every example in flows/ runs, as it stands there. */

const examples = readdirSync(join(projectRoot(), "flows")).filter(
  (name) => name.endsWith(".yaml") && name !== "sluice.yaml",
);

let org: SalesforceFake;
let slack: SlackFake;
let desk: ZendeskFake;
let s3: S3Fake;
let dir: string;
let env: Record<string, string>;

beforeAll(async () => {
  org = await startSalesforceFake({ org: { accounts: 300, contacts: 600, opportunities: 900, invoices: 0 } });
  slack = await startSlackFake({ workspace: { users: 40, channels: 3, messages: 1200, days: 14 } });
  desk = await startZendeskFake({ account: { tickets: 400, users: 50, organizations: 20 } });
  s3 = await startS3Fake({ buckets: ["acme-lake"] });
  dir = mkdtempSync(join(tmpdir(), "sluice-examples-"));
  cpSync(join(projectRoot(), "flows"), dir, { recursive: true });
  env = {
    ...org.environment(),
    ...slack.environment(),
    ...desk.environment(),
    S3_ENDPOINT: s3.url,
    S3_BUCKET: "acme-lake",
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    PEPPER: "a secret of the test",
  };
});

afterAll(async () => {
  await org.close();
  await slack.close();
  await desk.close();
  await s3.close();
  rmSync(dir, { recursive: true, force: true });
});

describe("the example flows", () => {
  it("are valid", async () => {
    const exit = await sluice(["validate"], { cwd: dir, env });
    expect(exit).toMatchObject({ code: 0 });
  });

  it.each(examples)("%s runs, and its account balances", async (file) => {
    const exit = await sluice(["run", file.replace(".yaml", ""), "--json"], { cwd: dir, env });
    expect(exit.code, exit.stderr).toBe(0);
    const [run] = JSON.parse(exit.stdout);
    const { fetched, filtered, dropped, deadLettered, loaded, queued } = run.records;
    expect(loaded).toBeGreaterThan(100);
    expect(fetched).toBe(filtered + dropped + deadLettered + loaded + queued);
    expect(queued).toBe(0);
    expect(run.status).toBe("succeeded");
  });

  it("salesforce-bulk-to-lake read by a Bulk job, with the deleted ones, and left none behind", () => {
    const { byPath } = org.requests;
    expect(byPath["POST /services/data/jobs/query"]).toBe(1);
    expect(byPath["GET /services/data/jobs/query/<job>/results"]).toBeGreaterThan(0);
    expect(byPath["GET /services/data/queryAll"]).toBeGreaterThan(0);
    expect(org.bulk.size).toBe(0);
  });

  it("answer to SQL afterwards", async () => {
    const exit = await sluice(
      ["query", "SELECT count(*) AS n FROM salesforce_opportunities_to_parquet", "--json"],
      { cwd: dir, env },
    );
    expect(exit.code, exit.stderr).toBe(0);
    expect(Number(JSON.parse(exit.stdout)[0]?.n)).toBeGreaterThan(100);
  });

  it("answer with each message once, edits and deletes applied", async () => {
    const [channel] = slack.workspace.channels.values();
    const edited = slack.workspace.editSome(channel?.id ?? "", 5, 1, (Date.now() - 86_400_000) * 1000);
    const again = await sluice(["run", "slack-conversations-to-s3", "--json"], { cwd: dir, env });
    expect(JSON.parse(again.stdout)[0]?.records).toMatchObject({
      fetched: edited.length,
      loaded: edited.length,
    });
    const text = readFileSync(join(dir, "slack-conversations-to-s3.yaml"), "utf8");
    const sql = /sluice query "([^"]+)"/.exec(text)?.[1]?.replace(/\n# */g, " ") ?? "";
    const exit = await sluice(["query", sql, "--json"], { cwd: dir, env });
    expect(exit.code, exit.stderr).toBe(0);
    const counts = JSON.parse(exit.stdout).map((row: { channel: string; messages: number }) => [
      row.channel,
      Number(row.messages),
    ]);
    const wanted = [...slack.workspace.channels.values()]
      .filter(({ joined, info }) => joined && info.is_private !== true)
      .map(({ info, messages }) => [
        info.name,
        messages.filter(({ item }) => item.subtype !== "tombstone").length,
      ]);
    expect(new Map(counts)).toEqual(new Map(wanted as [string, number][]));
  });

  it("answer with tickets and their comments side by side, the deleted ones marked", async () => {
    const text = readFileSync(join(dir, "zendesk-comments-to-duckdb.yaml"), "utf8");
    const sql = /sluice query "([^"]+)"/.exec(text)?.[1]?.replace(/\n# */g, " ") ?? "";
    const exit = await sluice(["query", sql, "--json"], { cwd: dir, env });
    expect(exit.code, exit.stderr).toBe(0);
    const answer: { status: string; tickets: number; comments: number }[] = JSON.parse(exit.stdout);
    const tickets = [...desk.account.table("tickets").values()];
    const sum = (pick: (row: (typeof answer)[number]) => number) =>
      answer.reduce((total, row) => total + Number(pick(row)), 0);
    expect(sum((row) => row.tickets)).toBe(tickets.length);
    expect(sum((row) => (row.status === "deleted" ? row.tickets : 0))).toBe(
      tickets.filter((row) => row.status === "deleted").length,
    );
    expect(sum((row) => row.comments)).toBeGreaterThan(100);
  });
});
