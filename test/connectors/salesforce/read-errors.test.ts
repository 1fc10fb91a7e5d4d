import { describe, expect, it } from "vitest";
import type { ErrorClass } from "../../../core/contracts/index.js";
import { idsOf, type Living, living, things } from "./living.js";

const BULK = { api: "bulk" };
const ONCE_MORE = { kind: "answer", status: 200, headers: { "content-type": "text/csv" } } as const;
const CSV = { "content-type": "text/csv", "sforce-locator": "null" };

/** What no single answer says: how reading as a whole ends. */
const READS: readonly (readonly [string, ErrorClass, string, (org: Living) => object])[] = [
  [
    "a job that fails whatever its size",
    "transient",
    "SALESFORCE_JOB_FAILED",
    ({ fake }) => {
      fake.bulk.failing = { times: 1_000 };
      return BULK;
    },
  ],
  [
    "a job that does not end in a day",
    "transient",
    "SALESFORCE_JOB_STUCK",
    ({ fake }) => {
      const body = { id: "7505g0000000001AAA", state: "InProgress" };
      fake.faults.set({
        rules: [{ method: "GET", path: "/jobs/query/750", fault: { kind: "answer", status: 200, body } }],
      });
      return BULK;
    },
  ],
  [
    "a job that somebody aborts",
    "transient",
    "SALESFORCE_JOB_ABORTED",
    ({ fake }) => {
      const body = { id: "7505g0000000001AAA", state: "Aborted" };
      fake.faults.set({
        rules: [{ method: "GET", path: "/jobs/query/750", fault: { kind: "answer", status: 200, body } }],
      });
      return BULK;
    },
  ],
  [
    "jobs that vanish",
    "transient",
    "SALESFORCE_JOB_GONE",
    ({ fake }) => {
      const body = [{ errorCode: "NOT_FOUND", message: "gone" }];
      fake.faults.set({ rules: [{ path: "/results", fault: { kind: "answer", status: 404, body } }] });
      return BULK;
    },
  ],
  [
    "a job of another version",
    "transient",
    "SALESFORCE_JOB_GONE",
    ({ fake }) => {
      const body = [{ errorCode: "VERSION_MISMATCH", message: "409" }];
      fake.faults.set({ rules: [{ path: "/results", fault: { kind: "answer", status: 409, body } }] });
      return BULK;
    },
  ],
  [
    "rows that do not add up",
    "transient",
    "SALESFORCE_ROWS_MISSING",
    ({ fake }) => {
      const body = '"Id","SystemModstamp"\n';
      fake.faults.set({ rules: [{ path: "/results", fault: { ...ONCE_MORE, headers: CSV, body } }] });
      return BULK;
    },
  ],
  [
    "a page that is no CSV",
    "transient",
    "SALESFORCE_BULK_BROKEN_PAGE",
    ({ fake }) => {
      fake.faults.set({ rules: [{ path: "/results", fault: { ...ONCE_MORE, headers: CSV, body: '"Id' } }] });
      return BULK;
    },
  ],
  [
    "HTML in place of CSV",
    "transient",
    "HTTP_HTML",
    ({ fake }) => {
      fake.faults.set({ rules: [{ path: "/results", fault: { kind: "htmlPage" } }] });
      return BULK;
    },
  ],
  [
    "a page that leads to itself",
    "transient",
    "SALESFORCE_REPEATED_PAGE",
    ({ fake }) => {
      fake.faults.set({
        rules: [{ path: "/results", on: { nth: 2 }, fault: { kind: "repeatNextRecordsUrl" } }],
      });
      return BULK;
    },
  ],
  [
    "no Bulk jobs left today",
    "rateLimit",
    "SALESFORCE_BULK_LIMIT_EXCEEDED",
    ({ fake }) => {
      fake.bulk.dailyJobs = 0;
      return BULK;
    },
  ],
  [
    "no calls left today",
    "rateLimit",
    "SALESFORCE_REQUEST_LIMIT_EXCEEDED",
    ({ fake }) => {
      fake.setDailyLimit(3);
      return BULK;
    },
  ],
  [
    "a query that times out however short its window",
    "transient",
    "SALESFORCE_QUERY_TIMEOUT",
    ({ fake }) => {
      fake.faults.set({ rules: [{ path: "/query?q=", fault: { kind: "status", preset: "queryTimeout" } }] });
      return { api: "rest" };
    },
  ],
];

describe("every end of a read lands in its class", () => {
  it.each(READS)("%s", async (_what, kind, code, arrange) => {
    const org = await living(things(300), { bulk: { pageRows: 100 } });
    await org.source.describe("Thing__c", new AbortController().signal);
    const options = arrange(org);
    const error = await org.read("Thing__c", options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ kind, code });
    expect(Reflect.get(Object(error), "fix")).toMatch(/^[A-Z].*\.$/);
    // What may stay wrong once must not stay for ever: with the trouble gone, the same read passes.
    org.fake.faults.clear();
    org.fake.bulk.failing = { times: 0 };
    org.fake.bulk.dailyJobs = 10_000;
    org.fake.setDailyLimit(100_000);
    expect(new Set(idsOf(await org.read("Thing__c", options))).size).toBe(300);
  });
});
