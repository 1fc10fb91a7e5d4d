import type { Account } from "./account.js";
import { KINDS } from "./account.js";
import { type Answer, apiError, type FakeRequest, jsonAnswer, recordNotFound } from "./answer.js";
import type { Bench } from "./bench.js";
import { type ExportOptions, Exports } from "./exports.js";
import { type ListStyle, Lists } from "./lists.js";
import type { OAuth } from "./oauth.js";

export interface RouteOptions {
  readonly url: () => string;
  readonly exports: ExportOptions;
  readonly role: string;
  readonly unavailable: Readonly<Record<string, 403 | 404>>;
  readonly offsetOnly: readonly string[];
}

/** Lists whose path is not their name. */
const PATHS: Readonly<Record<string, string>> = {
  sla_policies: "slas/policies",
  articles: "help_center/articles",
};
const NO_LIST = new Set(["ticket_events", "ticket_metric_events"]);

/** `/api/v2/...`: who may ask for what. A `.json` at the end of a path makes no difference. */
export class Routes {
  private readonly account: Account;
  private readonly oauth: OAuth;
  private readonly bench: Bench | undefined;
  private readonly options: RouteOptions;
  private readonly exports: Exports;
  private readonly lists: Lists;
  private readonly byPath: ReadonlyMap<string, ListStyle>;

  constructor(account: Account, oauth: OAuth, bench: Bench | undefined, options: RouteOptions) {
    this.account = account;
    this.oauth = oauth;
    this.bench = bench;
    this.options = options;
    this.exports = new Exports(account, options.exports, options.url);
    this.lists = new Lists(account, options.url);
    this.byPath = new Map(
      Object.keys(KINDS)
        .filter((name) => !NO_LIST.has(name))
        .map((name) => [
          PATHS[name] ?? name,
          { table: name, key: name, offsetOnly: options.offsetOnly.includes(name) },
        ]),
    );
  }

  handle(request: FakeRequest): Answer {
    const [, path] = /^\/api\/v2\/(.+?)(?:\.json)?$/.exec(request.path) ?? [];
    if (path === undefined) return recordNotFound();
    const who = this.oauth.who(request);
    if (path === "users/me") return this.me(who);
    if (who === "anonymous" || who === "wrong")
      return jsonAnswer(401, { error: "Couldn't authenticate you" });
    if (who === "expired") {
      return jsonAnswer(401, { error: "invalid_token", error_description: "The access token expired" });
    }
    if (request.method !== "GET") return apiError(405, "MethodNotAllowed", "This fake is read only");
    if (path === "oauth/tokens/current") {
      return typeof who === "object" ? this.oauth.current(who) : recordNotFound();
    }
    return this.data(path, request);
  }

  private data(path: string, request: FakeRequest): Answer {
    const [, helpCenter, exported = "", kind = ""] =
      /^(help_center\/)?incremental\/(\w+)(?:\/(cursor|sample))?$/.exec(path) ?? [];
    const name = exported !== "" ? exported : nameOf(path);
    const refused = this.options.unavailable[name];
    if (refused === 403) return apiError(403, "Forbidden", `You do not have access to this page: ${name}`);
    if (refused === 404) return recordNotFound();
    if (exported !== "") return this.exported(exported, kind, helpCenter !== undefined, request);
    const [, counted] = /^(\w+)\/count$/.exec(path) ?? [];
    if (counted !== undefined) return this.count(counted);
    const one = /^(tickets|users|organizations)\/(\d+)$/.exec(path);
    if (one !== null) return this.one(one[1] ?? "", Number(one[2]));
    const style = this.byPath.get(path);
    return style === undefined
      ? apiError(404, "InvalidEndpoint", "Not found")
      : this.lists.answer(style, request);
  }

  private exported(name: string, kind: string, helpCenter: boolean, request: FakeRequest): Answer {
    if (this.options.role !== "admin" && !(helpCenter && this.options.role === "agent")) {
      return apiError(403, "Forbidden", "You must be an admin to do this");
    }
    if ((name === "articles") !== helpCenter) return apiError(404, "InvalidEndpoint", "Not found");
    if (kind === "cursor") {
      if (name !== "tickets" && name !== "users") return apiError(404, "InvalidEndpoint", "Not found");
      if (this.bench !== undefined && name === "tickets") return this.bench.page(request, this.account.now());
      return this.exports.byCursor(name, request);
    }
    const byTime = ["tickets", "users", "organizations", "ticket_events", "ticket_metric_events", "articles"];
    if (!byTime.includes(name)) return apiError(404, "InvalidEndpoint", "Not found");
    return kind === "sample" ? this.exports.sample(name, request) : this.exports.byTime(name, name, request);
  }

  private count(name: string): Answer {
    if (!["tickets", "users", "organizations", "groups"].includes(name)) return recordNotFound();
    const bench = name === "tickets" ? this.bench?.records : undefined;
    const value =
      bench ?? [...this.account.table(name).values()].filter((row) => row.status !== "deleted").length;
    return jsonAnswer(200, { count: { value, refreshed_at: "2026-10-01T00:00:00Z" } });
  }

  private one(name: string, id: number): Answer {
    const row = this.account.table(name).get(id);
    if (row === undefined || row.status === "deleted") return recordNotFound();
    return jsonAnswer(200, { [name.slice(0, -1)]: row });
  }

  /** Credentials that are not good are no error here: the answer is the anonymous user. */
  private me(who: ReturnType<OAuth["who"]>): Answer {
    if (who === "expired") {
      return jsonAnswer(401, { error: "invalid_token", error_description: "The access token expired" });
    }
    if (who === "anonymous" || who === "wrong") {
      return jsonAnswer(200, {
        user: { id: null, name: "Anonymous user", email: "invalid@example.com", role: "end-user" },
      });
    }
    return jsonAnswer(200, {
      user: { id: 360_000_000_000_001, name: "Ada Admin", email: this.oauth.email, role: this.options.role },
    });
  }
}

function nameOf(path: string): string {
  return Object.entries(PATHS).find(([, known]) => known === path)?.[0] ?? path;
}
