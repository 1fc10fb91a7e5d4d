import { describe, expect, test } from "vitest";
import { flowText, lint, project } from "./project.js";

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
        { connection: "warehouse", mode: "upsert", key: ["opportunity_id"], place: "flows/a.yaml:38" },
        { connection: "lake", mode: "append", key: [], target: { format: "parquet", fileSize: 128_000_000 } },
      ],
    });
  });

  test("dump", () => {
    console.log(lint({ "flows/a.yaml": flowText("fliter: []") }));
    console.log(
      lint({
        "flows/a.yaml": flowText(
          "filter: [{ field: A, greaterThen: 1 }, {field: A}, {field: A, in: 1, equals: 2}, x]\nmap: ['*', {from: A, tou: b}, 5]\nvalidate: [{field: a, rule: notNul}]",
        ),
      }),
    );
    console.log(
      lint({
        "flows/a.yaml":
          "name: A\nsource: {connection: lake, stream: x, mode: ful}\nsinks: [{connection: lak, path: x}, {connection: lake}, {connection: lake, path: x, formatt: csv, write: upsert}, {connection: lake, path: x, formatt: csv, fileSize: 12}]",
      }),
    );
    console.log(
      lint({
        "flows/a.yaml":
          "name: a\nsource: {connection: crm, stream: x}\nsinks: [{connection: lake}, {connection: lake, path: x, formatt: csv, fileSize: 12}, {connection: lak, path: y}, {connection: crm}]\n",
      }),
    );
    console.log(
      lint({
        "sluice.yaml":
          "connections:\n  crm:\n    connector: crm\n    instanceUrl: http://x.example\n    auth: {type: tokn}\n  a: {connector: file}\n  b: {connector: crm, instanceUrl: '${env:NOPE}', auth: {type: jwt, username: u, privateKey: '${file:key.pem}'}}",
        "flows/a.yaml": flowText(""),
      }),
    );
  });
});
