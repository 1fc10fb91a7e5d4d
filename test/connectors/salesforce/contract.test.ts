import { generateKeyPairSync } from "node:crypto";
import { salesforce } from "../../../connectors/salesforce/index.js";
import { type SourceFault, type SourceFeatures, sourceContract } from "../../contracts/source.js";
import {
  type FakeClock,
  type Fault,
  type FaultRule,
  type FieldSpec,
  type Org,
  type Row,
  startSalesforceFake,
} from "../../fakes/salesforce/index.js";

const FAULTS: Readonly<Record<SourceFault, Fault>> = {
  unauthorized: { kind: "expireToken" },
  forbidden: {
    kind: "answer",
    status: 403,
    body: [
      { errorCode: "API_DISABLED_FOR_ORG", message: "API is not enabled for this Organization or Partner" },
    ],
  },
  dailyQuota: { kind: "status", preset: "dailyLimit" },
  tooManyRequests: { kind: "status", preset: "concurrentLimit" },
  serverError: { kind: "status", preset: "serverError" },
  html: { kind: "htmlPage" },
  halfJson: { kind: "halfJson" },
  cutBody: { kind: "cutBody" },
  reset: { kind: "resetAfter" },
};

// One for all cases: making a key takes longer than most of them.
const privateKeyPem = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

/** Requests for pages, whatever their version; the describe calls before them are left alone. */
const PAGES = { rest: "/\\/query[/?]/", bulk: "/\\/results\\?/" } as const;
/** As many fields as make the query too long for a URL; their names are as long as names may be. */
const MANY_FIELDS = 340;

interface Variant {
  readonly how: string;
  readonly api: keyof typeof PAGES;
  readonly stream: string;
  readonly options?: object;
  readonly contacts?: number;
  /** Queries that a page takes. */
  readonly queries?: number;
  /** Its records never change: there are only more of them. */
  readonly grows?: boolean;
  /** `now`: epoch ms. */
  readonly prepare?: (org: Org, now: number) => void;
  readonly features?: SourceFeatures;
}

const ID: FieldSpec = { name: "Id", type: "id" };
const PLAIN: FieldSpec = { name: "Name", type: "string" };

const VARIANTS: readonly Variant[] = [
  { how: "rest", api: "rest", stream: "Contact" },
  { how: "bulk", api: "bulk", stream: "Contact" },
  {
    how: "rest, in chunks of columns",
    api: "rest",
    stream: "Contact",
    contacts: 820,
    queries: 2,
    prepare: (org) => {
      for (let n = 0; n < MANY_FIELDS; n++)
        org.addField("Contact", { name: `${"W".repeat(36)}_${n + 100}__c`, type: "string" });
    },
  },
  {
    how: "bulk, deleted ones included",
    api: "bulk",
    stream: "Contact",
    options: { deleted: "include" },
    prepare: (org, now) => org.delete("Contact", firstIds(org, "Contact", 60), now - HOUR),
  },
  {
    how: "rest, an object with nothing but CreatedDate",
    api: "rest",
    stream: "Contact__History",
    contacts: 10,
    grows: true,
    prepare: (org, now) =>
      fill(org, now, "Contact__History", [ID, PLAIN, { name: "CreatedDate", type: "datetime" }]),
  },
  {
    how: "rest, an object without a date",
    api: "rest",
    stream: "Thing__c",
    contacts: 10,
    prepare: (org, now) => fill(org, now, "Thing__c", [ID, PLAIN]),
    features: { fullOnly: "the object has no field that moves with time" },
  },
];

const HOUR = 3_600_000;

function fill(org: Org, now: number, name: string, fields: readonly FieldSpec[]): void {
  org.define({ name, keyPrefix: "a0X", fields: [...fields] });
  for (let n = 0; n < 1_150; n++) org.upsert(name, { Name: `row ${n}` }, now - HOUR + n * 1_000);
}

function firstIds(org: Org, object: string, count: number): string[] {
  return [...org.table(object).rows()].slice(0, count).map(({ id }) => id);
}

for (const variant of VARIANTS) {
  const { how, api, stream, queries = 1 } = variant;
  const start = async (clock: FakeClock) => {
    const fake = await startSalesforceFake({
      clock,
      privateKeyPem,
      pageSize: 200,
      bulk: { pageRows: 200 },
      org: {
        seed: 3,
        accounts: 50,
        contacts: variant.contacts ?? 1_150,
        opportunities: 10,
        invoices: 10,
        users: 5,
      },
    });
    variant.prepare?.(fake.org, clock.now());
    const table = fake.org.table(stream);
    const isWanted = (row: Row) => !row.deleted || variant.options !== undefined;
    const only = (rule: FaultRule) => fake.faults.set({ rules: [rule] });
    const path = PAGES[api];
    return {
      connector: salesforce,
      config: {
        instanceUrl: fake.url,
        loginUrl: fake.url,
        auth: {
          type: "jwt",
          clientId: fake.clientId,
          username: fake.username,
          privateKey: fake.privateKeyPem,
        },
      },
      stream,
      options: { api, pageSize: 200, ...variant.options },
      misspelt: `${stream.slice(0, -2)}${stream.slice(-1)}${stream.slice(-2, -1)}`,
      secrets: [fake.accessToken, fake.clientSecret, ...fake.privateKeyPem.split("\n").slice(1, -2)],
      records: () => new Map([...table.rows()].filter(isWanted).map((row) => [row.id, stamp(row.stamp)])),
      change: (count: number) => {
        if (variant.grows !== true) return fake.org.changeSome(stream, count, 11);
        return Array.from({ length: count }, (_, n) => fake.org.upsert(stream, { Name: `later ${n}` }));
      },
      fail: (fault: SourceFault, { page, times }: { readonly page: number; readonly times?: number }) => {
        // Every page from this one on; the fake counts requests, and tries again count as well.
        const nth = times === undefined ? Array.from({ length: 5_000 }, (_, n) => n + page) : page;
        only({ path, on: { nth }, times: times ?? 5_000, fault: FAULTS[fault] });
      },
      repeatPage: (page: number) =>
        only({ path, on: { nth: page }, fault: { kind: "repeatNextRecordsUrl" } }),
      delayPage: (page: number, delayMs: number) => {
        // Each page before it has taken as many queries.
        only({ path, on: { nth: (page - 1) * queries + 1 }, fault: { kind: "slow", delayMs } });
      },
      close: () => fake.close(),
    };
  };
  sourceContract(`salesforce by ${how}`, start, variant.features);
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "+0000");
}
