import { afterEach, describe, expect, it } from "vitest";
import { connectors } from "../../../connectors/index.js";
import { startSlackFake } from "../../fakes/slack/index.js";
import { startZendeskFake } from "../../fakes/zendesk/index.js";
import { folderWith } from "./project.js";
import { runLine } from "./shell.js";

// What is particular to an account stands in its connector's spec; here is each against its fake.

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Runs `sluice connect` with a browser that does `visit`. */
function connecting(cwd: string, connection: string, visit: (page: URL) => Promise<unknown>) {
  const visits: Promise<unknown>[] = [];
  const outcome = runLine(["connect", connection, "--port", "0"], {
    cwd,
    connectors,
    browse: async (url) => {
      visits.push(visit(new URL(url)));
    },
  });
  return outcome.finally(() => Promise.all(visits));
}

describe("sluice connect", () => {
  it("zendesk: a public client, JSON, tokens that rotate from process to process", async () => {
    const fake = await startZendeskFake({ account: { tickets: 3, others: 3 } });
    closers.push(() => fake.close());
    const auth = `{ type: oauth, clientId: ${fake.oauth.clientId} }`;
    const cwd = folderWith({
      "sluice.yaml": `connections:\n  desk: { connector: zendesk, subdomain: fake, baseUrl: "${fake.url}", auth: ${auth} }\n`,
    });
    const outcome = await connecting(cwd, "desk", (page) => {
      expect(page.pathname).toBe("/oauth/authorizations/new");
      expect(page.searchParams.get("scope")).toBe("read");
      return fetch(page);
    });
    expect([outcome.code, outcome.stdout]).toEqual([0, expect.stringContaining("ada@example.com")]);
    for (let round = 1; round <= 2; round++) {
      fake.oauth.expireAll();
      for (let n = 0; n < 2; n++) {
        const check = await runLine(["check", "desk"], { cwd, connectors });
        expect([check.code, check.stderr]).toEqual([0, ""]);
      }
      expect(fake.oauth.granted).toEqual({ authorization_code: 1, refresh_token: round });
    }
    fake.oauth.expireAll();
    fake.oauth.revokeRefreshToken();
    const revoked = await runLine(["check", "desk"], { cwd, connectors });
    expect([revoked.code, revoked.stdout]).toEqual([3, expect.stringContaining("sluice connect desk")]);
  });

  it("slack: scopes with commas, errors with status 200, tokens that rotate from process to process", async () => {
    const fake = await startSlackFake({});
    closers.push(() => fake.close());
    const { clientId, clientSecret, code } = fake.oauth;
    const auth = `{ type: refreshToken, clientId: "${clientId}", clientSecret: "${clientSecret}", refreshToken: xoxe-1-dead }`;
    const cwd = folderWith({
      "sluice.yaml": `connections:\n  team: { connector: slack, baseUrl: "${fake.url}", auth: ${auth} }\n`,
    });
    // Slack's own page is not part of the fake: the browser comes back with a code.
    const allow = (given: string) => (page: URL) => {
      expect(page.pathname).toBe("/oauth/v2/authorize");
      expect(page.searchParams.get("scope")).toMatch(/^[a-z:.]+(,[a-z:.]+)+$/);
      const back = new URL(page.searchParams.get("redirect_uri") ?? "");
      back.searchParams.set("code", given);
      back.searchParams.set("state", page.searchParams.get("state") ?? "");
      return fetch(back);
    };
    const wrong = await connecting(cwd, "team", allow("not-the-code"));
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining("error[OAUTH_CODE_REFUSED]")]);
    const outcome = await connecting(cwd, "team", allow(code));
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.not.stringContaining("error[")]);
    expect(outcome.stdout).toContain("signed in");
    fake.oauth.expireAll();
    for (let n = 0; n < 3; n++) {
      const check = await runLine(["check", "team"], { cwd, connectors });
      expect([check.code, check.stdout]).toEqual([0, expect.stringContaining("ok")]);
    }
    expect(fake.oauth.renewals).toBe(2);
    const said = outcome.stdout + outcome.stderr + wrong.stdout + wrong.stderr;
    for (const token of [...fake.oauth.issued, clientSecret]) expect(said).not.toContain(token);
    // The app is removed: no token request has to tell.
    fake.oauth.revoke();
    const first = await runLine(["check", "team"], { cwd, connectors });
    expect([first.code, first.stdout]).toEqual([3, expect.stringContaining("GRANT_REVOKED")]);
    const requests = fake.requests.total;
    const second = await runLine(["check", "team"], { cwd, connectors });
    expect([second.code, second.stdout]).toEqual([3, expect.stringContaining("sluice connect team")]);
    expect(fake.requests.total).toBe(requests);
  });
});
