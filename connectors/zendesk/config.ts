import { z } from "zod";
import {
  ConfigError,
  duration,
  integer,
  type Secret,
  secret,
  text,
  url,
} from "../../core/contracts/index.js";
import { USUAL_EXPORTS_PER_MINUTE } from "./buckets.js";

const tokenUrl = () => url().optional().describe("Token endpoint; default <baseUrl>/oauth/tokens.");
const authorizeUrl = () =>
  url().optional().describe("Page where a person signs in; default <baseUrl>/oauth/authorizations/new.");
const scope = () =>
  text().default("read").describe("Scopes to ask for, separated by blanks; reading needs read.");

const oauth = z.strictObject({
  type: z
    .literal("oauth")
    .describe(
      "Somebody signs in with `sluice connect`; the tokens are kept, encrypted, in the data directory.",
    ),
  clientId: text().describe("Unique identifier of the OAuth client."),
  clientSecret: secret().optional().describe("Secret of the OAuth client; a public client has none."),
  scope: scope(),
  tokenUrl: tokenUrl(),
  authorizeUrl: authorizeUrl(),
});

const refreshToken = z.strictObject({
  type: z.literal("refreshToken").describe("A refresh token of the authorization code flow."),
  clientId: text().describe("Unique identifier of the OAuth client."),
  clientSecret: secret().optional().describe("Secret of the OAuth client; a public client has none."),
  refreshToken: secret().describe(
    "Refresh token. Zendesk gives a new one, and kills this one, at every use.",
  ),
  scope: scope(),
  tokenUrl: tokenUrl(),
  authorizeUrl: authorizeUrl(),
});

const clientCredentials = z.strictObject({
  type: z.literal("clientCredentials").describe("Client credentials of a confidential OAuth client."),
  clientId: text().describe("Unique identifier of the OAuth client."),
  clientSecret: secret().describe("Secret of the OAuth client."),
  scope: scope(),
  tokenUrl: tokenUrl(),
});

const accessToken = z.strictObject({
  type: z.literal("accessToken").describe("A ready OAuth access token, for a try; it cannot be renewed."),
  accessToken: secret().describe("Access token."),
});

const apiToken = z.strictObject({
  type: z
    .literal("apiToken")
    .describe("Legacy: an API token. No new ones are made, and all stop on 30 April 2027."),
  email: text().describe("E-mail address of the user to act as."),
  apiToken: secret().describe("API token."),
});

const auth = z
  .discriminatedUnion("type", [oauth, refreshToken, clientCredentials, accessToken, apiToken])
  .describe("How to sign in. Exports need an admin.");

export const configSchema = z.strictObject({
  subdomain: text(
    z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, "expected a subdomain such as acme, of acme.zendesk.com"),
  ).describe("The account: acme of https://acme.zendesk.com."),
  baseUrl: url().optional().describe("Address of the account; default https://<subdomain>.zendesk.com."),
  auth,
  customFields: z
    .enum(["json", "columns"])
    .default("json")
    .describe(
      "json keeps custom fields in one column; columns adds one for each: custom_field_<id, or key of users' and organizations'>.",
    ),
  exportsPerMinute: integer({ min: 1, max: 100 })
    .default(USUAL_EXPORTS_PER_MINUTE)
    .describe("Requests a minute to the incremental exports: 10, or 30 with the High Volume add-on."),
});

export type ZendeskConfig = z.output<typeof configSchema>;
export type ZendeskAuth = ZendeskConfig["auth"];

/** Default re-read behind the watermark of exports by time and of windows (see index.ts). */
export const DEFAULT_LOOKBACK_MS = 5 * 60_000;

export const optionsSchema = z.strictObject({
  pageSize: integer({ min: 1, max: 1000 })
    .default(1000)
    .describe("Records per page: exports up to 1000, lists up to 100. Exports by time may answer more."),
  settle: duration({ min: "60s", max: "1d" })
    .prefault("60s")
    .describe("Leaves out what changed in so long before now, which may not be complete yet."),
});

const parsedOptions = z.object({ pageSize: z.number(), settle: z.number() });
export type ZendeskOptions = z.output<typeof parsedOptions>;

/** The options of a read; the defaults where a flow has none. ConfigError for options that no schema has parsed. */
export function readOptions(options: unknown): ZendeskOptions {
  const parsed = parsedOptions.safeParse(options ?? optionsSchema.parse({}));
  if (parsed.success) return parsed.data;
  throw new ConfigError("ZENDESK_OPTIONS", z.prettifyError(parsed.error), { place: "source.options" });
}

/** Origin of the account, without a path. */
export function baseUrlOf(config: ZendeskConfig): string {
  return config.baseUrl ?? `https://${config.subdomain.toLowerCase()}.zendesk.com`;
}

/** The secrets of a connection, for redaction. */
export function secretsOf(auth: ZendeskAuth): Secret[] {
  switch (auth.type) {
    case "oauth":
      return auth.clientSecret === undefined ? [] : [auth.clientSecret];
    case "refreshToken":
      return auth.clientSecret === undefined ? [auth.refreshToken] : [auth.refreshToken, auth.clientSecret];
    case "clientCredentials":
      return [auth.clientSecret];
    case "accessToken":
      return [auth.accessToken];
    case "apiToken":
      return [auth.apiToken];
  }
}
