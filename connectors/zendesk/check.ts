import { z } from "zod";
import {
  AuthError,
  type CheckReport,
  type Clock,
  type StreamInfo,
  TransientError,
} from "../../core/contracts/index.js";
import type { Answer, ZendeskApi } from "./api.js";
import { API_TOKEN_WARNING } from "./auth.js";
import type { ZendeskConfig } from "./config.js";
import { isOfOneStream, reasonOf } from "./errors.js";
import { bucketOf, STREAMS, type StreamSpec } from "./streams.js";

const me = z.looseObject({
  user: z.looseObject({
    id: z.number().nullable(),
    name: z.string().nullish(),
    email: z.string().nullish(),
    role: z.string().nullish(),
  }),
});
const currentToken = z.looseObject({
  token: z.looseObject({
    expires_at: z.string().nullish(),
    scopes: z.array(z.string()).nullish(),
  }),
});

interface Identity {
  readonly name: string;
  readonly role: string;
}

/** Identity, role, limits, life of the token: what `sluice check` says about a connection. */
export async function checkAccount(
  api: ZendeskApi,
  config: ZendeskConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<CheckReport> {
  const { name, role } = await whoAmI(api, signal);
  const details: Record<string, string> = { role };
  const warnings: string[] = [];
  const allowance = api.budgets.allowance("account");
  if (allowance !== undefined) {
    const { remaining, total } = allowance;
    details.requestsPerMinute = `${remaining}${total === undefined ? "" : ` of ${total}`} left`;
  }
  details.exportsPerMinute = String(api.budgets.exportsPerMinute);
  if (role !== "admin") {
    warnings.push(`The user is ${role}, and exports need an admin: use the credentials of an admin.`);
  }
  if (config.auth.type === "apiToken") {
    warnings.push(API_TOKEN_WARNING);
  }
  if (config.auth.type === "accessToken") {
    const life = await tokenLife(api, signal);
    if (life !== undefined) {
      details.tokenExpires = life;
      const left = Date.parse(life) - clock.now();
      if (left < 86_400_000) {
        warnings.push("The access token ends within a day: use auth that renews itself.");
      }
    }
  }
  return { identity: `${name} in ${config.subdomain}`, details, warnings };
}

/** Credentials that Zendesk does not know are no error there: the answer is the anonymous user. */
async function whoAmI(api: ZendeskApi, signal: AbortSignal): Promise<Identity> {
  const { body } = await api.get("users/me.json", [], "account", signal);
  const parsed = me.safeParse(body);
  if (!parsed.success) {
    throw new TransientError("ZENDESK_UNEXPECTED_ANSWER", "the answer to users/me names no user", {
      place: "zendesk users/me",
      fix: "Check subdomain (and baseUrl) of the connection.",
    });
  }
  const { id, name, email, role } = parsed.data.user;
  if (id === null) {
    throw new AuthError("ZENDESK_ANONYMOUS", "Zendesk does not know these credentials", {
      fix: "Check auth of the connection.",
    });
  }
  return { name: email ?? name ?? `user ${id}`, role: role ?? "unknown" };
}

/** ISO text; undefined where the token lives for ever, or may not be asked about. */
async function tokenLife(api: ZendeskApi, signal: AbortSignal): Promise<string | undefined> {
  const answer = await tolerate(api, api.get("oauth/tokens/current.json", [], "account", signal));
  if (typeof answer === "string") return undefined;
  return currentToken.safeParse(answer.body).data?.token.expires_at ?? undefined;
}

/** Requests under way at a time while the streams are probed. */
const PROBES = 4;

/**
 * All streams, each asked for one record: what a plan or a role lacks shows as 403 or 404 there. Exports are probed by the
 * list of the same records, since their ten requests a minute are for reading.
 */
export async function discoverStreams(api: ZendeskApi, signal: AbortSignal): Promise<readonly StreamInfo[]> {
  const { role } = await whoAmI(api, signal);
  const probes = [...new Set(STREAMS.map(probeOf))];
  const outcome = new Map<string, string | undefined>();
  const workers = Array.from({ length: PROBES }, async () => {
    for (let path = probes.shift(); path !== undefined; path = probes.shift()) {
      const bucket = path.startsWith("help_center/") ? "helpCenter" : "account";
      const answer = await tolerate(api, api.get(path, [["page[size]", "1"]], bucket, signal));
      outcome.set(path, typeof answer === "string" ? answer : undefined);
    }
  });
  await Promise.all(workers);
  return STREAMS.map((spec) => infoOf(spec, role, outcome.get(probeOf(spec))));
}

function probeOf(spec: StreamSpec): string {
  return spec.probe ?? spec.path;
}

function infoOf(spec: StreamSpec, role: string, refusal: string | undefined): StreamInfo {
  const { name, label, needs } = spec;
  const needsAdmin = bucketOf(spec) === "exports" && role !== "admin";
  const reason =
    refusal !== undefined
      ? `${refusal}${needs === undefined ? "" : `; it needs ${needs}`}`
      : needsAdmin
        ? `exports need an admin, and the user is ${role}`
        : undefined;
  return { name, label, readable: reason === undefined, ...(reason === undefined ? {} : { reason }) };
}

/** The answer, or why it is not to be had: a right or a feature that is missing is worth a word, everything else stops. */
async function tolerate(api: ZendeskApi, asked: Promise<Answer>): Promise<Answer | string> {
  return asked.catch((error: unknown) => {
    if (isOfOneStream(error, api.accountExists)) return reasonOf(error);
    throw error;
  });
}
