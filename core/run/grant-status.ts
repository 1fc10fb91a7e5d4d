import type { Store } from "../contracts/index.js";
import type { Project } from "../flow/types.js";
import { pauseOf, readGrant } from "./grant-record.js";

/** What `sluice status` says of a connection that somebody signs in to. Holds nothing secret. */
export interface GrantStatus {
  readonly connection: string;
  /** `paused`: the account refuses its refresh token; runs fail at once until somebody signs in. */
  readonly state: "live" | "paused";
  /** Since when it is in that state, ISO text; `live`: since the sign-in. */
  readonly since: string;
  /** When tokens were stored last, ISO text. */
  readonly refreshedAt: string;
  readonly error: { readonly code: string; readonly message: string; readonly fix: string } | null;
}

/** The grants of the project's connections, by name. Needs no key. */
export function grantStates(store: Store, project: Project): GrantStatus[] {
  return [...project.connections.values()].flatMap(({ name, config, role }): GrantStatus[] => {
    const grant = role === "source" ? readGrant(store, name) : undefined;
    if (grant === undefined) return [];
    const { grantedAt: since, updatedAt: refreshedAt } = grant;
    const pause = pauseOf(grant, config);
    if (pause !== null) {
      const { at, code, message } = pause;
      const error = { code, message, fix: `Sign in again: sluice connect ${name}` };
      return [{ connection: name, state: "paused", since: at, refreshedAt, error }];
    }
    return grant.sealed === null
      ? []
      : [{ connection: name, state: "live", since, refreshedAt, error: null }];
  });
}
