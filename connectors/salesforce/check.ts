import { z } from "zod";
import { AuthError, type CheckReport, ConfigError, type RequestBudget } from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";

const versions = z.array(z.looseObject({ version: z.string(), label: z.string().nullish() }));
const limit = z.looseObject({ Max: z.number(), Remaining: z.number() }).nullish();
const limits = z.looseObject({
  DailyApiRequests: limit,
  DailyBulkV2QueryJobs: limit,
  DailyBulkV2QueryFileStorageMB: limit,
});
const userInfo = z.looseObject({
  preferred_username: z.string().nullish(),
  organization_id: z.string().nullish(),
  name: z.string().nullish(),
});

/** Version, identity, quota: what `sluice check` says about a connection. */
export async function checkOrg(
  api: SalesforceApi,
  budget: RequestBudget | undefined,
  signal: AbortSignal,
): Promise<CheckReport> {
  const details: Record<string, string> = { apiVersion: await checkVersion(api, signal) };
  const warnings: string[] = [];
  const quota = await tolerate(() => api.resource("limits", signal));
  const known = limits.safeParse(quota instanceof AuthError ? {} : quota.json()).data;
  const daily = known?.DailyApiRequests;
  const jobs = known?.DailyBulkV2QueryJobs;
  const results = known?.DailyBulkV2QueryFileStorageMB;
  if (daily) budget?.learn("daily", { limit: daily.Max, remaining: daily.Remaining });
  if (jobs) budget?.learn("bulkJobs", { limit: jobs.Max, remaining: jobs.Remaining });
  if (daily) {
    details.dailyApiRequests = `${daily.Remaining} of ${daily.Max} left`;
    if (daily.Remaining < daily.Max * 0.1) {
      warnings.push(
        `Only ${daily.Remaining} of ${daily.Max} daily API calls are left: run fewer flows, or less often.`,
      );
    }
  } else {
    warnings.push(
      'The daily API calls cannot be read: give the user the permission "View Setup and Configuration".',
    );
  }
  if (jobs) details.dailyBulkQueryJobs = `${jobs.Remaining} of ${jobs.Max} left`;
  if (results) details.dailyBulkQueryResults = `${results.Remaining} of ${results.Max} MB left`;
  const { identity, warning } = await whoAmI(api, signal);
  if (warning !== undefined) warnings.push(warning);
  return { identity, details, warnings };
}

async function checkVersion(api: SalesforceApi, signal: AbortSignal): Promise<string> {
  const parsed = versions.safeParse((await api.versions(signal)).json());
  const known = parsed.data ?? [];
  const wanted = api.version.slice(1);
  const newest = known.at(-1);
  if (newest !== undefined && !known.some(({ version }) => version === wanted)) {
    throw new ConfigError("SALESFORCE_API_VERSION", `this org does not know API version ${api.version}`, {
      place: "apiVersion",
      fix: `Set apiVersion to v${newest.version} or earlier.`,
    });
  }
  return api.version;
}

/** The user and org; the scope `openid` or `id` is needed to ask for the name. */
async function whoAmI(
  api: SalesforceApi,
  signal: AbortSignal,
): Promise<{ readonly identity: string; readonly warning?: string }> {
  const answer = await tolerate(() => api.get("/services/oauth2/userinfo", signal));
  const user = answer instanceof AuthError ? undefined : userInfo.safeParse(answer.json()).data;
  if (user?.preferred_username) {
    return { identity: `${user.preferred_username} in org ${user.organization_id ?? "unknown"}` };
  }
  const [, org, id] = /\/id\/(\w+)\/(\w+)\/?$/.exec(api.identityUrl() ?? "") ?? [];
  return {
    identity: org === undefined ? "a user that may not be asked for" : `user ${id} in org ${org}`,
    warning: "The user's name cannot be read: add the scope openid to the app.",
  };
}

/** A right that is missing is worth a warning, everything else stops the check. */
async function tolerate<T>(ask: () => Promise<T>): Promise<T | AuthError> {
  return ask().catch((error: unknown) => {
    if (error instanceof AuthError && error.code !== "SALESFORCE_INVALID_SESSION_ID" && isForbidden(error))
      return error;
    throw error;
  });
}

function isForbidden(error: AuthError): boolean {
  return error.code === "SALESFORCE_FORBIDDEN" || error.code === "HTTP_FORBIDDEN";
}
