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

const token = z.strictObject({
  type: z
    .literal("token")
    .describe("A bot token (xoxb-...) or user token (xoxp-...) of an app without token rotation."),
  token: secret().describe("The token. Without token rotation it never expires."),
});

const refreshToken = z.strictObject({
  type: z
    .literal("refreshToken")
    .describe("An app with token rotation: access tokens of 12 hours, renewed before they end."),
  clientId: text().describe("Client ID of the app."),
  clientSecret: secret().describe("Client secret of the app."),
  refreshToken: secret()
    .optional()
    .describe("Refresh token (xoxe-1-...) of the installation; left out where `sluice connect` signs in."),
  scopes: text()
    .optional()
    .describe(
      "Bot scopes that `sluice connect` asks for, separated by blanks; direct messages need im:read, im:history, mpim:read and mpim:history. Default: those of every stream over channels, or none beside userScopes.",
    ),
  userScopes: text()
    .optional()
    .describe("User scopes to ask for, separated by blanks: the token of whoever signs in then reads."),
  tokenUrl: url().optional().describe("Token endpoint; default <baseUrl>/oauth.v2.access."),
  authorizeUrl: url()
    .optional()
    .describe("Page where a person signs in; default /oauth/v2/authorize at the host of baseUrl."),
});

export const configSchema = z.strictObject({
  baseUrl: url()
    .default("https://slack.com/api")
    .describe(
      "Address of the Web API; another one for GovSlack (https://slack-gov.com/api) or a test server.",
    ),
  teamId: text(z.string().regex(/^T[A-Z0-9]+$/, "expected a workspace id such as T0123ABCD"))
    .optional()
    .describe("Workspace to read; needed with the token of an Enterprise Grid organisation only."),
  auth: z.discriminatedUnion("type", [token, refreshToken]).describe("How to sign in."),
});

export type SlackConfig = z.output<typeof configSchema>;
export type SlackAuth = SlackConfig["auth"];
/** The auth that asks for tokens. */
export type RotatingAuth = Extract<SlackAuth, { type: "refreshToken" }>;

/** Most messages that Slack hands out in one answer. */
export const MOST_PER_PAGE = 999;

export const CHANNEL_TYPES = ["public_channel", "private_channel", "mpim", "im"] as const;
export type ChannelType = (typeof CHANNEL_TYPES)[number];

const channelName = text(
  z.string().regex(/^#?\S+$/, "expected a channel's name, id, or a pattern such as proj-*"),
);

export const optionsSchema = z.strictObject({
  channels: z
    .array(channelName)
    .min(1, "expected at least one channel")
    .optional()
    .describe(
      "Read only these channels: names, ids, or patterns with *. Default: every channel of the types below.",
    ),
  exclude: z
    .array(channelName)
    .default([])
    .describe("Leave out these channels: names, ids, or patterns with *."),
  types: z
    .array(z.enum(CHANNEL_TYPES))
    .min(1, "expected at least one type")
    .default(["public_channel", "private_channel"])
    .describe("Kinds of conversations; mpim and im are direct messages, of several people and of two."),
  membership: z
    .enum(["joined", "any"])
    .default("joined")
    .describe(
      "joined: the channels that the token's bot or user is a member of. any: all it can see; bots are refused where they are no member.",
    ),
  archived: z.enum(["include", "exclude"]).default("include").describe("Whether archived channels are read."),
  bots: z
    .enum(["include", "exclude"])
    .default("include")
    .describe("Whether messages that bots have posted are read."),
  rescan: duration({ max: "90d" })
    .prefault("7d")
    .describe(
      "How far back every run looks again for edits, deletes, reactions and late replies. Costs a page per 999 messages and 14 bytes each in the checkpoint.",
    ),
  replies: z
    .enum(["changed", "all"])
    .default("changed")
    .describe(
      "Threads within rescan that thread_replies reads again: those whose parent tells of a change, or all, which finds edits of replies too at a call per thread.",
    ),
  settle: duration({ max: "1d" })
    .prefault("1m")
    .describe("Leaves out the newest messages for so long, since one with an earlier ts may still appear."),
  pageSize: integer({ min: 1, max: MOST_PER_PAGE })
    .default(MOST_PER_PAGE)
    .describe("Messages per call, 1 to 999. Slack may answer with fewer."),
});

/** Options as the schema above leaves them. */
const parsedOptions = z.object({
  channels: z.array(z.string()).optional(),
  exclude: z.array(z.string()),
  types: z.array(z.enum(CHANNEL_TYPES)),
  membership: z.enum(["joined", "any"]),
  archived: z.enum(["include", "exclude"]),
  bots: z.enum(["include", "exclude"]),
  rescan: z.number(),
  replies: z.enum(["changed", "all"]),
  settle: z.number(),
  pageSize: z.number(),
});

export type SlackOptions = z.output<typeof parsedOptions>;

/** The options of a read; the defaults where a flow has none. ConfigError for options that no schema has parsed. */
export function readOptions(options: unknown): SlackOptions {
  const parsed = parsedOptions.safeParse(options ?? optionsSchema.parse({}));
  if (parsed.success) return parsed.data;
  throw new ConfigError("SLACK_OPTIONS", z.prettifyError(parsed.error), { place: "source.options" });
}

/** Where tokens are asked for. */
export function tokenUrlOf(auth: RotatingAuth, baseUrl: string): string {
  return auth.tokenUrl ?? `${baseUrl}/oauth.v2.access`;
}

/** The secrets of a connection, for redaction. */
export function secretsOf(auth: SlackAuth): Secret[] {
  if (auth.type === "token") return [auth.token];
  return auth.refreshToken === undefined ? [auth.clientSecret] : [auth.clientSecret, auth.refreshToken];
}
