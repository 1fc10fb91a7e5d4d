import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Secret } from "../../../core/contracts/index.js";
import { loadProject } from "../../../core/flow/index.js";
import { connectors, flowText, folderWith, lint, project, SLUICE_YAML } from "./project.js";
import { exact } from "./steps.js";

describe("loadProject", () => {
  test("the flow of the design page", () => {
    const loaded = project(
      {
        "flows/a.yaml": `
# yaml-language-server: $schema=../flow.schema.json
name: salesforce-opportunities-to-redshift
description: Opportunities worth more than 1,000 for the sales mart, every hour
source:
  connection: crm
  stream: Opportunity
  mode: incremental
  cursor: SystemModstamp
  start: 2024-01-01T00:00:00Z
  lookback: 10m
  options: { deleted: include }
trigger:
  type: schedule
  cron: "0 * * * *"
  timezone: Europe/Berlin
  overlap: skip
  missed: latest
  disableAfter: 10
filter:
  - { field: Amount, greaterThan: 1000 }
  - { field: StageName, in: [Closed Won, Negotiation] }
map:
  - { from: Id, to: opportunity_id }
  - { from: [FirstName, LastName], join: " ", to: full_name }
  - { from: Email, mask: { first: 4 }, to: email }
  - { from: Email, hash: { secret: "\${env:PEPPER}" }, to: email_key }
  - { from: Description, truncate: 255, to: description }
  - { from: [Amount, Probability], arithmetic: multiply, to: weighted }
  - { from: CloseDate, type: date, to: close_date }
  - { value: salesforce, to: origin }
validate:
  - { field: weighted, rule: notNegative, onFail: deadLetter }
errors: { maxRejected: 1%, onReject: deadLetter }
sinks:
  - { connection: warehouse, table: sales.opportunities, write: upsert, key: [opportunity_id], schemaChange: evolve }
  - connection: lake
    path: salesforce/opportunities
    format: parquet
    fileSize: 128MB
`,
      },
      { PEPPER: "x" },
    );
    expect(loaded.problems).toEqual([]);
    const flow = loaded.flows.get("salesforce-opportunities-to-redshift");
    expect(flow).toMatchObject({
      file: "flows/a.yaml",
      source: { start: Date.UTC(2024, 0, 1), lookbackMs: 600_000, options: { deleted: "include" } },
      trigger: { type: "schedule", cron: "0 * * * *", timezone: "Europe/Berlin" },
      filter: {
        all: [
          { field: "Amount", operator: "greaterThan", value: 1000 },
          { field: "StageName", operator: "in", value: ["Closed Won", "Negotiation"] },
        ],
      },
      errors: { maxRejected: { share: 0.01 }, onReject: "deadLetter" },
      sinks: [
        { connection: "warehouse", mode: "upsert", key: ["opportunity_id"], place: "flows/a.yaml:36" },
        { connection: "lake", mode: "append", key: [], target: { format: "parquet", fileSize: 128_000_000 } },
      ],
    });
  });

  test("finds the nearest sluice.yaml upward, or the one that is named", () => {
    const dir = folderWith({
      "sluice.yaml": SLUICE_YAML,
      "flows/a.yaml": flowText(""),
      "flows/.hidden.yaml": "not: a flow",
      "flows/notes.txt": "no flow",
      "deep/er/x.txt": "",
      "other/sluice.yml": "dataDir: data\nflows: mine",
      "other/mine/b.yml": flowText("").replace("deals", "b"),
    });
    const load = (cwd: string, path?: string) =>
      loadProject({ cwd, env: {}, connectors, ...(path === undefined ? {} : { project: path }) });
    const nearest = load(join(dir, "deep/er"));
    expect(nearest.dir).toBe(dir);
    expect(nearest.dataDir).toBe(join(dir, ".sluice"));
    expect([...nearest.flows.keys()]).toEqual(["deals"]);
    expect(nearest.problems).toEqual([]);
    for (const path of ["other", "other/sluice.yml", join(dir, "other")]) {
      const named = load(dir, path);
      expect(named.dataDir).toBe(join(dir, "other", "data"));
      // No connections there: the flow is read, and refused for that.
      expect(named.problems.map((problem) => problem.file)).toEqual(["mine/b.yml", "mine/b.yml"]);
    }
  });

  test("without a flows folder, the YAML files beside sluice.yaml are the flows", () => {
    const loaded = project({ "a.yaml": flowText(""), "b.yml": flowText("").replace("deals", "b") });
    expect([...loaded.flows.keys()]).toEqual(["deals", "b"]);
  });

  test("PROJECT_NOT_FOUND tells where it looked", () => {
    const dir = folderWith({ "a.txt": "" });
    const load = (path: string) => () => loadProject({ project: path, cwd: dir, env: {}, connectors });
    expect(load("nowhere")).toThrow(expect.objectContaining({ code: "PROJECT_NOT_FOUND", kind: "config" }));
    expect(load("nowhere")).toThrow(join(dir, "nowhere"));
    expect(load(".")).toThrow(dir);
  });

  test("an empty sluice.yaml means all defaults", () => {
    const loaded = project({ "sluice.yaml": "# nothing yet\n" });
    expect(loaded.problems).toEqual([]);
    expect(loaded.buffer).toEqual({
      type: "durable",
      sync: "commit",
      visibilityTimeoutMs: 300_000,
      maxReceiveCount: 10,
      retentionMs: 1_209_600_000,
      messageBytes: 262_144,
      highWaterBytes: 2 ** 30,
      alarms: [],
    });
  });

  test("a flow with a problem is left out, the others stay", () => {
    const loaded = project({
      "flows/a.yaml": flowText("map: [5]"),
      "flows/b.yaml": flowText("").replace("deals", "b"),
    });
    expect([...loaded.flows.keys()]).toEqual(["b"]);
    expect(loaded.problems).toHaveLength(1);
  });

  test("what a flow leaves out", () => {
    const flow = project({ "flows/a.yaml": flowText("") }).flows.get("deals");
    expect(flow).toMatchObject({
      description: "",
      trigger: { type: "onDemand" },
      filter: undefined,
      errors: { onReject: "deadLetter", maxRejected: { share: 1 } },
      source: { mode: undefined, cursor: undefined, start: undefined, lookbackMs: undefined },
      sinks: [{ mode: "append", key: [], target: { path: "deals", format: "jsonl" } }],
    });
  });

  test.each([
    ["onDemand", { type: "onDemand" }],
    ["schedule, every: 5m", { type: "schedule", everyMs: 300_000, timezone: "UTC", overlap: "skip" }],
    ["event, topic: AccountChangeEvent", { type: "event", topic: "AccountChangeEvent" }],
    ["after, flow: b", { type: "after", flow: "b" }],
  ])("trigger: { type: %s }", (trigger, expected) => {
    const loaded = project({
      "flows/a.yaml": flowText(`trigger: { type: ${trigger} }`),
      "flows/b.yaml": flowText("").replace("deals", "b"),
    });
    expect(loaded.problems).toEqual([]);
    expect(loaded.flows.get("deals")?.trigger).toMatchObject(expected);
  });

  test("anchors, numbers beyond a double, and the escape of placeholders", () => {
    const loaded = project({
      "flows/a.yaml": flowText(
        "filter:\n  - { field: A, equals: &big 12345678901234567890 }\n  - { field: B, equals: *big }\n  - { field: C, equals: 'a $${env:X} b' }",
      ),
    });
    expect(loaded.problems).toEqual([]);
    expect(loaded.flows.get("deals")?.filter).toEqual({
      all: [
        { field: "A", operator: "equals", value: exact("12345678901234567890") },
        { field: "B", operator: "equals", value: exact("12345678901234567890") },
        { field: "C", operator: "equals", value: `a \${env:X} b` },
      ],
    });
  });

  test("an alias bomb is refused quickly", () => {
    const bomb = Array.from({ length: 30 }, (_, level) =>
      level === 0 ? "a0: &a0 [x, x]" : `a${level}: &a${level} [*a${level - 1}, *a${level - 1}]`,
    ).join("\n");
    expect(lint({ "flows/a.yaml": bomb })).toEqual([expect.stringContaining("holds more than 50000 values")]);
  });
});

describe("secrets", () => {
  const YAML = `connections:
  crm: { connector: crm, instanceUrl: "\${env:CRM_URL}", auth: { type: token, accessToken: "\${file:token.txt}" }, pageSize: "\${env:SIZE}" }
  lake: { connector: files, path: "\${env:HOME_DIR}/out" }
`;
  const FILES = { "sluice.yaml": YAML, "token.txt": "hunter2\n" };
  const ENV = { CRM_URL: "https://crm.example/", SIZE: "500", HOME_DIR: "/data", PEPPER: "hunter3" };

  test("resolve wherever text may stand, and print redacted under secret keys", () => {
    const loaded = project({ ...FILES, "flows/a.yaml": flowText("") }, ENV);
    expect(loaded.problems).toEqual([]);
    // Connectors parse what the user wrote with their own schema.
    const crm = connectors.sources.get("crm")?.spec.configSchema.parse(loaded.connections.get("crm")?.config);
    const lake = connectors.sinks
      .get("files")
      ?.spec.configSchema.parse(loaded.connections.get("lake")?.config);
    expect(crm).toMatchObject({ instanceUrl: "https://crm.example", pageSize: 500 });
    expect(crm).toHaveProperty("auth.accessToken", expect.any(Secret));
    expect(lake).toEqual({ path: "/data/out" });
    expect(JSON.stringify([crm, ...loaded.connections.values()])).not.toContain("hunter2");
    expect(inspect(loaded, { depth: 20 })).not.toContain("hunter2");
  });

  test("no message holds the value of a secret", () => {
    const lines = lint(
      { ...FILES, "token.txt": "" },
      { ...ENV, CRM_URL: "hunter2", SIZE: "hunter3", HOME_DIR: "" },
    );
    expect(lines).toEqual([
      "sluice.yaml:2:39 connections.crm.instanceUrl: expected a URL such as https://host.example, found a secret ([redacted])",
      "sluice.yaml:2:91 connections.crm.auth.accessToken: expected a secret that is not empty, found a secret ([redacted])",
      "sluice.yaml:2:124 connections.crm.pageSize: expected an integer from 1 to 2000, found a secret ([redacted])",
    ]);
    expect(lines.join("\n")).not.toMatch(/hunter/);
  });

  test("a hash key in a flow stays a Secret in the plan", () => {
    const middle = `map: [{ from: Email, hash: { secret: "\${env:PEPPER}" }, to: key }]`;
    const flow = project({ ...FILES, "flows/a.yaml": flowText(middle) }, ENV).flows.get("deals");
    expect(flow).toBeDefined();
    expect(inspect(flow, { depth: 20 })).not.toContain("hunter3");
    expect(JSON.stringify(flow)).not.toContain("hunter3");
  });
});
