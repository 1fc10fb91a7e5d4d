import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectors } from "../../../connectors/index.js";
import { type SalesforceFake, startSalesforceFake } from "../../fakes/salesforce/index.js";
import { folderWith } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

describe("sluice connect", () => {
  let fake: SalesforceFake;
  let cwd: string;
  beforeEach(async () => {
    fake = await startSalesforceFake({ rotateRefreshToken: true });
    cwd = folderWith({ "sluice.yaml": settings() });
  });
  afterEach(() => fake.close());

  const settings = (auth = `{ type: oauth, clientId: "\${env:SF_CLIENT_ID}" }`) =>
    `connections:
  crm: { connector: salesforce, instanceUrl: "${fake.url}", loginUrl: "${fake.url}", auth: ${auth} }
  files: { connector: folder, path: landed }
`;

  const line = (text: string, more: Partial<Setting> = {}) =>
    runLine(text.split(" "), { cwd, env: fake.environment(), connectors, ...more });

  /** A browser that follows where the account's page leads. */
  const follow = async (url: string) => {
    const page = await fetch(url);
    pages.push(`${page.status} ${await page.text()}`);
  };
  let pages: string[] = [];
  beforeEach(() => {
    pages = [];
  });

  /** Runs connect; `visit` gets the address of the page as soon as it is printed, and may go there in its own way. */
  async function connect(visit: (url: string) => Promise<void>, options = "", more: Partial<Setting> = {}) {
    let said = "";
    let visiting: Promise<void> | undefined;
    const onStderr = (text: string) => {
      said += text;
      const [url] = /https?:\S+\/authorize\?\S+/.exec(said) ?? [];
      if (url !== undefined) visiting ??= visit(url);
    };
    const outcome = await line(`connect crm --no-browser --port 0${options}`, { ...more, onStderr });
    await visiting;
    return outcome;
  }

  const nothingSaid = ({ stdout, stderr }: Outcome) => {
    for (const token of [...fake.oauth.issued, fake.clientSecret]) {
      expect(stdout + stderr).not.toContain(token);
      expect(pages.join()).not.toContain(token);
    }
  };

  it("signs in, says who we are, and the connection works without anything in sluice.yaml", async () => {
    const before = await line("check crm");
    expect(before.code).toBe(3);
    expect(before.stdout).toContain("GRANT_MISSING");
    const outcome = await connect(follow);
    expect(outcome.stderr).toContain("it must be registered");
    expect([outcome.code, outcome.stdout]).toEqual([0, expect.stringContaining(fake.username)]);
    expect(pages).toEqual([expect.stringMatching(/^200 .*signed in/s)]);
    expect((await line("check crm")).stdout).toContain(fake.username);
    // One code, and no refresh: the access token that came with it is good for the next process too.
    expect(fake.oauth.granted).toEqual({ authorization_code: 1 });
    fake.expireTokens();
    for (let n = 0; n < 3; n++) expect((await line("check crm")).code).toBe(0);
    expect(fake.oauth.granted).toEqual({ authorization_code: 1, refresh_token: 1 });
    nothingSaid(outcome);
    for (const path of readdirSync(cwd, { recursive: true }).map((name) => join(cwd, String(name)))) {
      if (!statSync(path).isFile()) continue;
      for (const token of fake.oauth.issued) expect(readFileSync(path).includes(token), path).toBe(false);
    }
    expect(statSync(join(cwd, ".sluice/token.key")).mode & 0o777).toBe(0o600);
  });

  it("prints one JSON document, and the address beside it", async () => {
    const outcome = await connect(follow, " --json");
    expect(outcome.json()).toEqual({
      connection: "crm",
      connector: "salesforce",
      identity: expect.stringContaining(fake.username),
      details: expect.objectContaining({ apiVersion: "v67.0" }),
    });
  });

  it("opens the browser where there is one, and goes on where that fails", async () => {
    const urls: string[] = [];
    const opened = await line("connect crm --port 0", {
      browse: async (url) => {
        urls.push(url);
        await follow(url);
      },
    });
    expect(opened.code).toBe(0);
    const url = new URL(urls[0] ?? "");
    expect(url.origin + url.pathname).toBe(`${fake.url}/services/oauth2/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: fake.clientId,
      redirect_uri: expect.stringMatching(/^http:\/\/localhost:\d+\/callback$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      scope: "api refresh_token openid",
    });
    const visits: Promise<void>[] = [];
    const failing = await line("connect crm --port 0", {
      browse: async (page) => {
        visits.push(follow(page));
        throw new Error("spawn xdg-open ENOENT");
      },
    });
    await Promise.all(visits);
    expect(failing.code).toBe(0);
    expect(failing.stderr).toContain("could not be opened (spawn xdg-open ENOENT)");
  });

  it("refuses a redirect with another state, another host, another path, and goes on waiting", async () => {
    const outcome = await connect(async (url) => {
      const callback = new URL(new URL(url).searchParams.get("redirect_uri") ?? "");
      const attempts = [
        `${callback.href}?code=evil&state=${"A".repeat(43)}`,
        `${callback.href}?code=evil`,
        `${callback.href}?error=access_denied&state=guessed`,
      ];
      for (const attempt of attempts) {
        const answer = await fetch(attempt);
        expect([answer.status, await answer.text()]).toEqual([
          400,
          expect.stringContaining("not the sign-in"),
        ]);
      }
      expect((await fetch(`${callback.origin}/favicon.ico`)).status).toBe(404);
      expect(await statusWithHost(callback, "evil.example")).toBe(403);
      await follow(url);
    });
    expect(outcome.code).toBe(0);
    expect(outcome.stderr.match(/warning: a request to the redirect URL was refused/g)).toHaveLength(4);
    expect(fake.oauth.granted).toEqual({ authorization_code: 1 });
  });

  it("takes a code once", async () => {
    let answers: number[] = [];
    const outcome = await connect(async (url) => {
      const page = await fetch(url, { redirect: "manual" });
      const back = page.headers.get("location") ?? "";
      // At the same time, in whatever order they arrive; the second may find nobody any more.
      const asked = [fetch(back), fetch(back)];
      answers = await Promise.all(asked.map((answer) => answer.then(({ status }) => status).catch(() => 0)));
    });
    expect(outcome.code).toBe(0);
    const refused = answers.filter((status) => status !== 200);
    expect(refused).toHaveLength(1);
    expect([400, 0]).toContain(refused[0]);
    expect(fake.oauth.granted.authorization_code).toBe(1);
  });

  it("says that the person did not agree", async () => {
    fake.oauth.authorize.denies = true;
    const outcome = await connect(follow);
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain("error[CONNECT_REFUSED]");
    expect(outcome.stderr).toContain("access_denied: end-user denied authorization");
    expect(pages.join()).toContain("did not let sluice in");
  });

  it("says that the code was refused, and stores nothing", async () => {
    const outcome = await connect(async (url) => {
      const tampered = new URL(url);
      // Somebody put their own challenge in: the verifier no longer fits.
      tampered.searchParams.set("code_challenge", "B".repeat(43));
      await follow(tampered.href);
    });
    expect(outcome.code).toBe(3);
    expect(outcome.stderr).toContain("error[OAUTH_CODE_REFUSED]");
    expect(outcome.stderr).toContain("invalid code verifier");
    expect(pages).toEqual([expect.stringMatching(/^500 .*failed/s)]);
    expect((await line("check crm")).stdout).toContain("GRANT_MISSING");
  });

  it("warns where the account gives no refresh token", async () => {
    writeFileSync(
      join(cwd, "sluice.yaml"),
      settings(`{ type: oauth, clientId: "\${env:SF_CLIENT_ID}", scopes: api openid }`),
    );
    const outcome = await connect(follow);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain("gave no refresh token");
    fake.expireTokens();
    const ended = await line("check crm");
    expect(ended.code).toBe(3);
    expect(ended.stdout).toContain("GRANT_REVOKED");
  });

  it("gives up after its time, and at Ctrl-C at once", async () => {
    const late = await connect(async () => {}, " --timeout 20ms");
    expect(late.code).toBe(3);
    expect(late.stderr).toContain("error[CONNECT_TIMEOUT]");
    const cancel = new AbortController();
    const stopped = await connect(async () => cancel.abort("SIGINT"), "", { signal: cancel.signal });
    expect(stopped.code).toBe(130);
    expect(fake.oauth.granted).toEqual({});
  });

  it("replaces a refresh token of sluice.yaml that is dead", async () => {
    const auth = `{ type: refreshToken, clientId: "\${env:SF_CLIENT_ID}", refreshToken: "5Aep861-was-revoked" }`;
    writeFileSync(join(cwd, "sluice.yaml"), settings(auth));
    const refused = await line("check crm");
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining("sluice connect crm")]);
    const requests = fake.requests.total;
    const status = await line("status --json");
    expect(status.json()).toMatchObject({
      grants: [{ connection: "crm", state: "paused", error: { code: "SALESFORCE_INVALID_GRANT" } }],
    });
    expect((await line("status")).stdout).toMatch(
      /paused: the sign-in of crm has ended.*\n\s+fix: .*sluice connect crm/,
    );
    expect((await line("check crm")).stdout).toContain("GRANT_REVOKED");
    expect((await line("discover crm")).stderr).toContain("GRANT_REVOKED");
    expect(fake.requests.total).toBe(requests);
    expect((await connect(follow)).code).toBe(0);
    expect((await line("check crm")).code).toBe(0);
    expect((await line("status --json")).json()).toMatchObject({
      grants: [{ connection: "crm", state: "live" }],
    });
    expect((await line("status")).stdout).not.toContain("paused");
  });

  it("keeps tokens where the buffer forgets: they outlive the process", async () => {
    writeFileSync(join(cwd, "sluice.yaml"), `buffer: { type: memory }\n${settings()}`);
    expect((await line("status --json")).json()).toMatchObject({ grants: [] });
    expect((await connect(follow)).code).toBe(0);
    expect((await line("check crm")).code).toBe(0);
    expect((await line("status --json")).json()).toMatchObject({ grants: [{ state: "live" }] });
    expect(fake.oauth.granted).toEqual({ authorization_code: 1 });
  });

  it("is bound to the key it was made with", async () => {
    const env = { ...fake.environment(), SLUICE_TOKEN_KEY: "cd".repeat(32) };
    expect((await connect(follow, "", { env })).code).toBe(0);
    expect((await line("check crm", { env })).code).toBe(0);
    for (const key of ["ef".repeat(32), ""]) {
      const other = await line("check crm", { env: { ...env, SLUICE_TOKEN_KEY: key } });
      expect(other.code).toBe(2);
      expect(other.stdout).toContain("TOKEN_KEY_WRONG");
      expect(other.stdout).not.toContain("cd".repeat(32));
    }
  });

  it.each([
    ["a sink", "connect files", 2, "CONNECTION_ROLE"],
    ["an unknown connection", "connect crn", 2, "did you mean crm?"],
    ["a bad port", "connect crm --port 99999", 2, "--port"],
    ["a bad time", "connect crm --timeout soon", 2, "--timeout"],
  ])("refuses %s", async (_what, command, code, words) => {
    const outcome = await line(command);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(words)]);
  });

  it("refuses a port that is taken, and a connection that needs no person", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const busy = await line(`connect crm --no-browser --port ${port}`);
    expect([busy.code, busy.stderr]).toEqual([2, expect.stringContaining("error[CONNECT_PORT]")]);
    taken.close();
    writeFileSync(join(cwd, "sluice.yaml"), settings(`{ type: accessToken, accessToken: ready }`));
    const other = await line("connect crm --no-browser");
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("error[CONNECT_NO_BROWSER]")]);
  });
});

/** fetch sets its own Host. */
async function statusWithHost(url: URL, host: string): Promise<number | undefined> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    request(
      { host: "127.0.0.1", port: url.port, path: `${url.pathname}?code=x`, headers: { host } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    )
      .on("error", reject)
      .end();
  });
}
