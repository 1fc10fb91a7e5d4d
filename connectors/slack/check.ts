import { AuthError, type CheckReport, ConfigError, type StreamInfo } from "../../core/contracts/index.js";
import type { SlackApi } from "./api.js";
import { type Channel, chooseChannels } from "./channels.js";
import { optionsSchema, readOptions } from "./config.js";
import type { ReadContext } from "./lists.js";
import { SMALL_QUOTA_WARNING } from "./quota.js";
import { seesSmallQuota } from "./quota-probe.js";
import { missingScopes, STREAM_TABLE, STREAMS } from "./streams.js";

/** Who we are, which streams the token's scopes leave out, and whether the small quota applies. */
export async function checkWorkspace(read: ReadContext, signal: AbortSignal): Promise<CheckReport> {
  const { api, config } = read;
  const who = await api.call("auth.test", {}, signal);
  const text = (name: string) => {
    const value: unknown = Reflect.get(who.body, name);
    return typeof value === "string" ? value : "";
  };
  const details: Record<string, string> = { workspace: text("url") || text("team"), teamId: text("team_id") };
  const warnings: string[] = [];
  if (Reflect.get(who.body, "is_enterprise_install") === true && config.teamId === undefined) {
    warnings.push("The token is of an organisation: set teamId to the workspace that is to be read.");
  }
  const granted = api.scopes;
  if (granted !== undefined) {
    details.scopes = granted.join(", ");
    for (const stream of STREAMS) {
      const missing = missingScopes(stream, granted);
      if (missing.length > 0)
        warnings.push(`${stream} cannot be read: add the scope ${missing.join(" and ")} to the app.`);
    }
  }
  const channels = await joinedChannels(read, signal);
  if (channels !== undefined) {
    const joined = new Set(channels.joined.map(({ id }) => id));
    const others = channels.visible.filter(({ id }) => !joined.has(id));
    details.channels = `a member of ${joined.size} of ${joined.size + others.length} it can see`;
    if (others.length > 0)
      details.notJoined = others
        .slice(0, 10)
        .map(({ id, name }) => name ?? id)
        .join(", ");
    if (await seesSmallQuota(api, channels.joined, signal)) warnings.push(SMALL_QUOTA_WARNING);
  }
  return {
    identity: `${text("user") || "unknown user"} in ${text("team")} (${text("team_id")})`,
    details,
    warnings,
  };
}

interface Channels {
  readonly joined: readonly Channel[];
  /** Joined or not; private channels show to members only. */
  readonly visible: readonly Channel[];
}

/** Undefined where the scopes do not let us ask. */
async function joinedChannels(
  { api, config, context }: ReadContext,
  signal: AbortSignal,
): Promise<Channels | undefined> {
  const granted = api.scopes ?? [];
  if (granted.length > 0 && missingScopes("messages", granted).length > 0) return undefined;
  const types = granted.includes("groups:read") ? ["public_channel", "private_channel"] : ["public_channel"];
  const list = async (membership: string): Promise<readonly Channel[]> => {
    const options = readOptions(optionsSchema.parse({ types, membership }));
    return chooseChannels(api, options, config.teamId, new Set(), context.log, signal).catch(
      (error: unknown) => {
        // Flows that read channels say so themselves.
        if (error instanceof ConfigError && error.code === "SLACK_NO_CHANNELS") return [];
        throw error;
      },
    );
  };
  try {
    return { joined: await list("joined"), visible: await list("any") };
  } catch (error) {
    if (error instanceof AuthError && error.code === "SLACK_MISSING_SCOPE") return undefined;
    throw error;
  }
}

/** The streams, and why one cannot be read. Scopes are asked for once. */
export async function discoverStreams(api: SlackApi, signal: AbortSignal): Promise<readonly StreamInfo[]> {
  if (api.scopes === undefined) await api.call("auth.test", {}, signal);
  const granted = api.scopes;
  return STREAMS.map((name) => {
    const missing = granted === undefined ? [] : missingScopes(name, granted);
    const { label } = STREAM_TABLE[name];
    return missing.length === 0
      ? { name, label, readable: true }
      : { name, label, readable: false, reason: `the app lacks the scope ${missing.join(" and ")}` };
  });
}
