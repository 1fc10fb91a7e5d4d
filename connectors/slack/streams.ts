import { ConfigError, type SourceField, type StreamSchema } from "../../core/contracts/index.js";
import { CHANNEL_TYPES, type ChannelType } from "./config.js";
import {
  CHANGED_AT,
  CHANNEL_FIELDS,
  FILE_FIELDS,
  MEMBER_FIELDS,
  MESSAGE_FIELDS,
  TEAM_FIELDS,
  USER_FIELDS,
  USERGROUP_FIELDS,
} from "./fields.js";
import { suggestion } from "./names.js";

export const STREAMS = [
  "team",
  "users",
  "usergroups",
  "channels",
  "channel_members",
  "messages",
  "thread_replies",
  "files",
] as const;
export type StreamName = (typeof STREAMS)[number];

interface Stream {
  readonly label: string;
  /** The method whose errors and tier count. */
  readonly method: string;
  /** Every one is needed. */
  readonly scopes: readonly string[];
  /** Of these, those of the conversation types that are read: `channels` becomes channels:read, groups:read, ... */
  readonly conversationScopes?: readonly ("read" | "history")[];
  readonly primaryKey: readonly string[];
  readonly cursors: readonly string[];
  readonly fields: readonly SourceField[];
}

/** The streams as a table; a stream is a row here and a reader in read.ts. */
export const STREAM_TABLE: Readonly<Record<StreamName, Stream>> = {
  team: {
    label: "The workspace",
    method: "team.info",
    scopes: ["team:read"],
    primaryKey: ["id"],
    cursors: [],
    fields: TEAM_FIELDS,
  },
  users: {
    label: "Users, deactivated ones included",
    method: "users.list",
    scopes: ["users:read"],
    primaryKey: ["id"],
    cursors: ["updated_at"],
    fields: USER_FIELDS,
  },
  usergroups: {
    label: "User groups, disabled ones included",
    method: "usergroups.list",
    scopes: ["usergroups:read"],
    primaryKey: ["id"],
    cursors: ["updated_at"],
    fields: USERGROUP_FIELDS,
  },
  channels: {
    label: "Conversations that the token can see",
    method: "conversations.list",
    scopes: [],
    conversationScopes: ["read"],
    primaryKey: ["id"],
    cursors: ["updated_at"],
    fields: CHANNEL_FIELDS,
  },
  channel_members: {
    label: "Who is in which conversation",
    method: "conversations.members",
    scopes: [],
    conversationScopes: ["read"],
    primaryKey: ["channel_id", "user_id"],
    cursors: [],
    fields: MEMBER_FIELDS,
  },
  messages: {
    label: "Messages of the conversations, without the replies in threads",
    method: "conversations.history",
    scopes: [],
    conversationScopes: ["read", "history"],
    primaryKey: ["channel_id", "ts"],
    cursors: [CHANGED_AT],
    fields: MESSAGE_FIELDS,
  },
  thread_replies: {
    label: "Replies in threads, without their parents",
    method: "conversations.replies",
    scopes: [],
    conversationScopes: ["read", "history"],
    primaryKey: ["channel_id", "ts"],
    cursors: [CHANGED_AT],
    fields: MESSAGE_FIELDS,
  },
  files: {
    label: "Files: what they are, not what is in them",
    method: "files.list",
    scopes: ["files:read"],
    primaryKey: ["id"],
    cursors: [CHANGED_AT],
    fields: FILE_FIELDS,
  },
};

const PREFIX: Readonly<Record<ChannelType, string>> = {
  public_channel: "channels",
  private_channel: "groups",
  mpim: "mpim",
  im: "im",
};

export function isStream(name: string): name is StreamName {
  return STREAMS.some((stream) => stream === name);
}

/** ConfigError for an unknown stream, with the nearest name as fix. */
export function streamOf(name: string): StreamName {
  if (isStream(name)) return name;
  throw new ConfigError("SLACK_UNKNOWN_STREAM", `Slack has no stream named ${name}`, {
    place: `slack ${name}`,
    fix: suggestion(name, STREAMS, `Name one of: ${STREAMS.join(", ")}.`),
  });
}

export function schemaOf(name: StreamName): StreamSchema {
  const { fields, primaryKey, cursors } = STREAM_TABLE[name];
  // `rescan` looks back much further than a lookback would, and costs nothing twice.
  return { stream: name, fields, primaryKey, cursors, defaultLookbackMs: 0 };
}

/**
 * Scopes that `granted` lacks for reading a stream at all. Of conversations one type is enough: which ones a flow reads its
 * options say.
 */
export function missingScopes(name: StreamName, granted: readonly string[]): readonly string[] {
  const { scopes, conversationScopes = [] } = STREAM_TABLE[name];
  const missing = scopes.filter((scope) => !granted.includes(scope));
  if (conversationScopes.length === 0) return missing;
  const readable = CHANNEL_TYPES.some((type) =>
    conversationScopes.every((verb) => granted.includes(`${PREFIX[type]}:${verb}`)),
  );
  return readable ? missing : [...missing, ...conversationScopes.map((verb) => `channels:${verb}`)];
}
