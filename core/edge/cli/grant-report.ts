import type { Store } from "../../contracts/index.js";
import type { Project } from "../../flow/types.js";
import { type GrantStatus, grantStates } from "../../run/grant-status.js";
import type { Output } from "./output.js";
import { agoText } from "./quantity.js";

/** The grants of the project's connections as `sluice status` prints them with --json. */
export function grantReport(
  store: Store | undefined,
  project: Project,
  output: Pick<Output, "redacted">,
): GrantStatus[] {
  if (store === undefined) return [];
  return grantStates(store, project).map((grant) => {
    const error = output.redacted(grant.error === null ? null : { class: "auth", ...grant.error });
    if (error === null || grant.error === null) return grant;
    return { ...grant, error: { ...grant.error, message: error.message } };
  });
}

/** Only what somebody must act on: the flows of a connection that works need no line. */
export function grantsText(
  grants: readonly GrantStatus[],
  now: number,
  output: Pick<Output, "paint">,
): string {
  return grants
    .flatMap(({ connection, since, error }) =>
      error === null
        ? []
        : [
            `${output.paint("red", "paused")}: the sign-in of ${connection} has ended, ${agoText(Date.parse(since), now)}: ${error.message}\n  fix: ${error.fix}`,
          ],
    )
    .join("\n");
}
