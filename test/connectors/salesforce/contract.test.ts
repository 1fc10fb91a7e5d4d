import { generateKeyPairSync } from "node:crypto";
import { salesforce } from "../../../connectors/salesforce/index.js";
import { type SourceFault, sourceContract } from "../../contracts/source.js";
import { type Fault, type FaultRule, startSalesforceFake } from "../../fakes/salesforce/index.js";

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

for (const [how, api, isWide] of [
  ["rest", "rest", false],
  ["bulk", "bulk", false],
  ["rest, in chunks of columns", "rest", true],
] as const) {
  sourceContract(`salesforce by ${how}`, async (clock) => {
    const fake = await startSalesforceFake({
      clock,
      privateKeyPem,
      pageSize: 200,
      bulk: { pageRows: 200 },
      org: {
        seed: 3,
        accounts: 50,
        contacts: isWide ? 820 : 1_150,
        opportunities: 10,
        invoices: 10,
        users: 5,
      },
    });
    const table = fake.org.table("Contact");
    for (let n = 0; isWide && n < MANY_FIELDS; n++)
      fake.org.addField("Contact", { name: `${"W".repeat(36)}_${n + 100}__c`, type: "string" });
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
      stream: "Contact",
      options: { api, pageSize: 200 },
      misspelt: "Contatc",
      secrets: [fake.accessToken, fake.clientSecret, ...fake.privateKeyPem.split("\n").slice(1, -2)],
      records: () =>
        new Map([...table.rows()].filter((row) => !row.deleted).map((row) => [row.id, stamp(row.stamp)])),
      change: (count) => fake.org.changeSome("Contact", count, 11),
      fail: (fault, { page, times }) => {
        // Every page from this one on; the fake counts requests, and tries again count as well.
        const nth = times === undefined ? Array.from({ length: 5_000 }, (_, n) => n + page) : page;
        only({ path, on: { nth }, times: times ?? 5_000, fault: FAULTS[fault] });
      },
      repeatPage: (page) => only({ path, on: { nth: page }, fault: { kind: "repeatNextRecordsUrl" } }),
      delayPage: (page, delayMs) => {
        // Each page before it has taken two queries.
        const nth = isWide ? 2 * page - 1 : page;
        only({ path, on: { nth }, fault: { kind: "slow", delayMs } });
      },
      close: () => fake.close(),
    };
  });
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "+0000");
}
