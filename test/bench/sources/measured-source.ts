/** Records a page of each API at most, and what it is asked for here. */
export const PAGE = { salesforce: 5_000, slack: 999, zendesk: 1_000 } as const;

export const SOURCE_NAMES = ["salesforce", "slack", "zendesk"] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

/** A source's heaviest stream, and how to have its fake serve it. */
export interface MeasuredSource {
  readonly name: SourceName;
  /** What is read, for people. */
  readonly title: string;
  readonly stream: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The connection as sluice.yaml has it, but for `connector`. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** Of the fake, so that no limit binds. */
  readonly unlimited: readonly string[];
  /** Of the fake, so that the API's limit binds. Undefined: it has none that a run of a minute can meet. */
  readonly limited?: readonly string[];
}

function fromEnv(name: string): string {
  return `\${env:${name}}`;
}

export const SOURCES: Readonly<Record<SourceName, MeasuredSource>> = {
  salesforce: {
    name: "salesforce",
    title: "Salesforce, Bulk CSV",
    stream: "Bench__c",
    options: { api: "bulk", bulkPageSize: PAGE.salesforce },
    connection: {
      instanceUrl: fromEnv("SF_URL"),
      auth: { type: "accessToken", accessToken: fromEnv("SF_ACCESS_TOKEN") },
    },
    unlimited: ["--daily-limit", "100000000"],
  },
  slack: {
    name: "slack",
    title: "Slack, conversations.history",
    stream: "messages",
    options: {},
    connection: {
      baseUrl: fromEnv("SLACK_API_URL"),
      auth: { type: "token", token: fromEnv("SLACK_TOKEN") },
    },
    unlimited: ["--rate-limits", "none"],
    limited: ["--rate-limits", "tiers"],
  },
  zendesk: {
    name: "zendesk",
    title: "Zendesk, incremental tickets",
    stream: "tickets",
    options: {},
    connection: {
      subdomain: "bench",
      baseUrl: fromEnv("ZENDESK_URL"),
      auth: {
        type: "clientCredentials",
        clientId: fromEnv("ZENDESK_CLIENT_ID"),
        clientSecret: fromEnv("ZENDESK_CLIENT_SECRET"),
      },
    },
    unlimited: ["--per-minute", "100000000", "--exports-per-minute", "100000000"],
    limited: ["--exports-per-minute", "10"],
  },
};

export function sourceNamed(name: string): MeasuredSource {
  const found = SOURCE_NAMES.find((known) => known === name);
  if (found === undefined) throw new Error(`${name} is none of ${SOURCE_NAMES.join(", ")}`);
  return SOURCES[found];
}

/** A value of the configuration with what the environment says in place of each `${env:NAME}`. */
export function resolved(value: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  if (typeof value === "string") return value.replaceAll(/\$\{env:(\w+)\}/g, (_, name) => env[name] ?? "");
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, env)]));
}
