import { PAGE, type SourceName } from "./measured-source.js";

/*
 * What the APIs themselves allow, in records of 1 KB.
 *
 * Slack: conversations.history is of tier 3, 50 calls a minute and workspace, with 999 messages each
 * (docs.slack.dev/apis/web-api/rate-limits). Zendesk: ten incremental exports a minute, with 1,000 tickets each
 * (developer.zendesk.com, Incremental Exports). Salesforce has no limit by the minute: 100,000 API calls in 24 hours
 * (Enterprise Edition without the licences' share), each a page of a result, and 1 TB of Bulk results in 24 hours; 25
 * requests at a time, but only of those that take 20 seconds and longer.
 */

const MINUTE_S = 60;
const DAY_S = 86_400;
const CALLS_A_MINUTE = { slack: 50, zendesk: 10 } as const;
const CALLS_A_DAY = 100_000;
const RESULT_BYTES_A_DAY = 1e12;
const RECORD_BYTES = 1_000;

export interface Allowance {
  readonly recordsPerS: number;
  /** The limit in words. */
  readonly limit: string;
}

export const ALLOWED: Readonly<Record<SourceName, Allowance>> = {
  salesforce: {
    recordsPerS: Math.min((CALLS_A_DAY * PAGE.salesforce) / DAY_S, RESULT_BYTES_A_DAY / RECORD_BYTES / DAY_S),
    limit: `100,000 calls a day with ${PAGE.salesforce.toLocaleString("en")} records each`,
  },
  slack: {
    recordsPerS: (CALLS_A_MINUTE.slack * PAGE.slack) / MINUTE_S,
    limit: "50 calls a minute with 999 messages each",
  },
  zendesk: {
    recordsPerS: (CALLS_A_MINUTE.zendesk * PAGE.zendesk) / MINUTE_S,
    limit: "10 exports a minute with 1,000 tickets each",
  },
};

/**
 * Records for a run under the limit: those of one minute at once, and those of the next as soon as it begins. The API allows
 * that within `seconds`, counted from the first call.
 */
export function limitedRun(name: "slack" | "zendesk"): {
  readonly records: number;
  readonly seconds: number;
} {
  return { records: 2 * CALLS_A_MINUTE[name] * PAGE[name], seconds: MINUTE_S };
}
