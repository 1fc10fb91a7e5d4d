import { z } from "zod";
import {
  ConfigError,
  duration,
  integer,
  isLoopback,
  type Secret,
  secret,
  text,
  url,
  urlProblem,
} from "../../core/contracts/index.js";

/** Summer '26, the newest release that every org has. */
const DEFAULT_VERSION = "v67.0";
/** Older versions lack what we rely on, and retire one by one. */
const OLDEST_VERSION = 60;

const tokenUrl = () => url().optional().describe("Token endpoint; default <loginUrl>/services/oauth2/token.");
const authorizeUrl = () =>
  url().optional().describe("Page where a person signs in; default <loginUrl>/services/oauth2/authorize.");

const jwt = z.strictObject({
  type: z.literal("jwt").describe("JWT bearer flow: a certificate, no password and no refresh token."),
  clientId: text().describe("Consumer key of the external client app."),
  username: text().describe("Salesforce user name to act as; the app must be pre-authorised for it."),
  privateKey: secret().describe("Private key (RSA, PKCS #8 PEM) of the certificate uploaded to the app."),
  audience: url()
    .optional()
    .describe("Audience of the assertion; default the login host, or the test host for a sandbox."),
  tokenUrl: tokenUrl(),
});

const clientCredentials = z.strictObject({
  type: z.literal("clientCredentials").describe("Client credentials flow: the app's own run-as user."),
  clientId: text().describe("Consumer key of the external client app."),
  clientSecret: secret().describe("Consumer secret of the external client app."),
  tokenUrl: url().optional().describe("Token endpoint; default <instanceUrl>/services/oauth2/token."),
});

const refreshToken = z.strictObject({
  type: z
    .literal("refreshToken")
    .describe(
      "A refresh token of the web server flow; where Salesforce rotates it, the newest is kept as for oauth.",
    ),
  clientId: text().describe("Consumer key of the external client app."),
  clientSecret: secret().optional().describe("Consumer secret, where the app demands it for refreshing."),
  refreshToken: secret().describe("Refresh token; needs the scope refresh_token or offline_access."),
  tokenUrl: tokenUrl(),
  authorizeUrl: authorizeUrl(),
});

const oauth = z.strictObject({
  type: z
    .literal("oauth")
    .describe(
      "Somebody signs in with `sluice connect`; the tokens are kept, encrypted, in the data directory.",
    ),
  clientId: text().describe("Consumer key of the external client app."),
  clientSecret: secret()
    .optional()
    .describe("Consumer secret, where the app demands it beside PKCE or for refreshing."),
  scopes: text()
    .default("api refresh_token openid")
    .describe("Scopes to ask for, separated by blanks; refresh_token is needed."),
  tokenUrl: tokenUrl(),
  authorizeUrl: authorizeUrl(),
});

const accessToken = z.strictObject({
  type: z.literal("accessToken").describe("A ready access token, for a try; it cannot be renewed."),
  accessToken: secret().describe("Access token or session id."),
});

const auth = z
  .discriminatedUnion("type", [jwt, clientCredentials, oauth, refreshToken, accessToken])
  .describe("How to sign in.");

export const configSchema = z
  .strictObject({
    instanceUrl: url().describe("My Domain URL of the org, such as https://acme.my.salesforce.com."),
    loginUrl: url()
      .default("https://login.salesforce.com")
      .describe("Host of the token endpoint; https://test.salesforce.com for sandboxes."),
    apiVersion: text(
      z
        .string()
        .regex(/^v[1-9]\d\.0$/, "expected a version such as v67.0")
        .refine(
          (version) => Number(version.slice(1)) >= OLDEST_VERSION,
          `expected v${OLDEST_VERSION}.0 or later, such as ${DEFAULT_VERSION}`,
        ),
    )
      .default(DEFAULT_VERSION)
      .describe(`API version; v${OLDEST_VERSION}.0 or later.`),
    auth,
  })
  .superRefine(({ auth, instanceUrl }, context) => {
    if (auth.type !== "clientCredentials" || !isSharedLoginHost(instanceUrl)) return;
    context.addIssue({
      code: "custom",
      path: ["instanceUrl"],
      message: "expected the org's My Domain URL: client credentials are accepted there only",
    });
  });

export type SalesforceConfig = z.output<typeof configSchema>;
export type SalesforceAuth = SalesforceConfig["auth"];

export const optionsSchema = z.strictObject({
  api: z
    .enum(["auto", "rest", "bulk"])
    .default("auto")
    .describe(
      "Which API reads: rest pages through query results, in chunks of columns where a query is too long for a URL; bulk runs Bulk API 2.0 jobs; auto takes bulk for more than 2,000 records and for queries too long for a URL.",
    ),
  deleted: z
    .enum(["include", "exclude"])
    .default("exclude")
    .describe(
      "Whether deleted records are read, with IsDeleted true: those of the recycle bin with all fields, and hard deletes of the last 15 days with their Id alone.",
    ),
  pageSize: integer({ min: 200, max: 2000 })
    .default(2000)
    .describe("Records per REST page, 200 to 2000. Salesforce takes it as a wish."),
  bulkPageSize: integer({ min: 1000, max: 100_000 })
    .default(5000)
    .describe("Records per page of a Bulk result, 1000 to 100000; fewer where they are long."),
  bulkJobs: integer({ min: 1, max: 10 })
    .default(3)
    .describe(
      "Bulk jobs that one read may have open at a time, 1 to 10: while the result of one is read, the next ones run and their results are fetched.",
    ),
  settle: duration({ max: "1d" })
    .prefault("0s")
    .describe("Leaves out the newest records for so long, for orgs with long transactions."),
});

/** Options as the schema above leaves them. */
const parsedOptions = z.object({
  api: z.enum(["auto", "rest", "bulk"]).default("auto"),
  deleted: z.enum(["include", "exclude"]).default("exclude"),
  pageSize: z.number(),
  bulkPageSize: z.number().default(5000),
  bulkJobs: z.number().default(3),
  settle: z.number(),
});

export type SalesforceOptions = z.output<typeof parsedOptions>;

/** The options of a read; the defaults where a flow has none. ConfigError for options that no schema has parsed. */
export function readOptions(options: unknown): SalesforceOptions {
  const parsed = parsedOptions.safeParse(options ?? optionsSchema.parse({}));
  if (parsed.success) return parsed.data;
  throw new ConfigError("SALESFORCE_OPTIONS", z.prettifyError(parsed.error), { place: "source.options" });
}

/** The hosts that all orgs share, where client credentials are refused. */
export function isSharedLoginHost(address: string): boolean {
  return ["login.salesforce.com", "test.salesforce.com"].includes(new URL(address).hostname);
}

/** True where requests with credentials may go: https, or this machine. */
export function isSafeUrl(address: string): boolean {
  return urlProblem(address) === undefined;
}

/** Where tokens are asked for. */
export function tokenUrlOf({ auth, instanceUrl, loginUrl }: SalesforceConfig): string {
  if (auth.type !== "accessToken" && auth.tokenUrl !== undefined) return auth.tokenUrl;
  // Client credentials are known to the org alone, not to the shared login hosts.
  const host = auth.type === "clientCredentials" ? instanceUrl : loginUrl;
  return `${host}/services/oauth2/token`;
}

/** `aud` of the assertion: the shared login host even for orgs that sign in at their own domain. */
export function defaultAudience(loginUrl: string): string {
  const { hostname, origin } = new URL(loginUrl);
  if (isSharedLoginHost(loginUrl)) return origin;
  const isSandbox = hostname.includes(".sandbox.") || hostname.startsWith("test.");
  return isSandbox && !isLoopback(hostname) ? "https://test.salesforce.com" : "https://login.salesforce.com";
}

/** The secrets of a connection, for redaction. */
export function secretsOf(auth: SalesforceAuth): Secret[] {
  switch (auth.type) {
    case "jwt":
      return [auth.privateKey];
    case "clientCredentials":
      return [auth.clientSecret];
    case "refreshToken":
      return auth.clientSecret === undefined ? [auth.refreshToken] : [auth.refreshToken, auth.clientSecret];
    case "oauth":
      return auth.clientSecret === undefined ? [] : [auth.clientSecret];
    case "accessToken":
      return [auth.accessToken];
  }
}
