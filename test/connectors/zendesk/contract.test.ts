import { zendesk } from "../../../connectors/zendesk/index.js";
import { STREAMS, type StreamSpec } from "../../../connectors/zendesk/streams.js";
import { type SourceFault, sourceContract } from "../../contracts/source.js";
import {
  type Fault,
  type FaultRule,
  type GeneratedAccountOptions,
  startZendeskFake,
} from "../../fakes/zendesk/index.js";
import { recordsOf } from "./account.js";

const FAULTS: Readonly<Record<SourceFault, Fault>> = {
  unauthorized: { kind: "expireToken" },
  forbidden: { kind: "status", preset: "forbidden" },
  // Zendesk counts by minutes only; a wait of a day is what comes nearest to a daily quota.
  dailyQuota: { kind: "status", preset: "longLimit" },
  tooManyRequests: { kind: "status", preset: "tooManyRequests", retryAfterSeconds: 240 },
  serverError: { kind: "status", preset: "serverError" },
  html: { kind: "htmlPage" },
  halfJson: { kind: "halfJson" },
  cutBody: { kind: "cutBody" },
  reset: { kind: "resetAfter" },
};

const PAGE_SIZE = 22;

const OFFSET = ["sla_policies"];
const SHORT = new Set(["ticket_fields", "user_fields", "organization_fields", "brands"]);

/** Enough of the kind that is read; the other kinds exist to be pointed at. */
function accountFor(spec: StreamSpec): GeneratedAccountOptions {
  const few = { seed: 5, tickets: 12, users: 6, organizations: 6, articles: 6, others: 6 };
  const many = 130;
  if (spec.name === "users" || spec.name === "organizations" || spec.name === "articles") {
    return { ...few, [spec.name]: many };
  }
  if (spec.path.includes("incremental/ticket")) return { ...few, tickets: many };
  return { ...few, others: SHORT.has(spec.name) ? few.others : spec.window === undefined ? many : many / 4 };
}

function tableOf(spec: StreamSpec): string {
  return spec.rows === "metricSets" ? "tickets" : spec.key;
}

/** A name near to a stream's. */
function misspelt(name: string): string {
  return `${name.slice(0, -2)}${name.at(-1)}${name.at(-2)}`;
}

function contract(spec: StreamSpec): void {
  sourceContract(
    `zendesk ${spec.name}`,
    async (clock) => {
      const fake = await startZendeskFake({ clock, account: accountFor(spec), offsetOnly: OFFSET });
      const { account } = fake;
      // The lists of fields and brands are short by nature: a few more, so that there are pages.
      while (account.table(tableOf(spec)).size < 12)
        account.copySome(tableOf(spec), 4, 1, clock.now() - 86_400_000);
      const page = `/api\\/v2\\/${spec.path.replaceAll("/", "\\/").replace(".json", "\\.json")}\\?/`;
      // A list that pages by offset is asked for its first page twice.
      const shift = OFFSET.includes(spec.name) ? 1 : 0;
      const only = (rule: FaultRule) => fake.faults.set({ rules: [{ path: page, ...rule }] });
      return {
        connector: zendesk,
        config: {
          subdomain: "fake",
          baseUrl: fake.url,
          auth: {
            type: "clientCredentials",
            clientId: fake.oauth.clientId,
            clientSecret: fake.oauth.clientSecret,
          },
        },
        stream: spec.name,
        options: { pageSize: SHORT.has(spec.name) ? 2 : PAGE_SIZE },
        misspelt: misspelt(spec.name),
        // The tokens that were granted on the way are known only afterwards.
        get secrets() {
          return [...fake.oauth.tokens(), fake.oauth.clientSecret];
        },
        settleMs: 61_000,
        records: () => recordsOf(account, spec),
        change: (count) => {
          const before = recordsOf(account, spec);
          const table = tableOf(spec);
          // More events than asked for, since not every one has a comment.
          account.changeSome(table, count, clock.now() % 1000);
          return [...recordsOf(account, spec)]
            .filter(([key, at]) => before.get(key) !== at)
            .map(([key]) => key);
        },
        fail: (fault, { page: from, times }) => {
          const nth =
            times === undefined ? Array.from({ length: 3_000 }, (_, n) => n + from + shift) : from + shift;
          only({ on: { nth }, times: times ?? 3_000, fault: FAULTS[fault] });
        },
        repeatPage: (nth) => only({ on: { nth: nth + shift }, fault: { kind: "repeatPage" } }),
        delayPage: (nth, delayMs) => only({ on: { nth: nth + shift }, fault: { kind: "slow", delayMs } }),
        close: () => fake.close(),
      };
    },
    spec.cursor === undefined ? { fullOnly: "no trace of deletes, so it is read in full" } : {},
  );
}

for (const spec of STREAMS) contract(spec);
