import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type SalesforceFake,
  type SalesforceFakeOptions,
  startSalesforceFake,
} from "../fakes/salesforce/index.js";
import type { SluiceExit } from "../sluice-process.js";
import { landedIds, liveIds, ScratchProject, said } from "./scratch-project.js";

// Real processes, an account whose refresh tokens work once, and nothing but the data directory between them.

const OPTIONS = { concurrent: true, timeout: 120_000 };

interface World {
  readonly org: SalesforceFake;
  readonly project: ScratchProject;
  /** Everything that any process has said. */
  readonly exits: SluiceExit[];
  line(text: string): Promise<SluiceExit>;
}

async function withWorld(
  auth: string,
  options: SalesforceFakeOptions,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const org = await startSalesforceFake({
    rotateRefreshToken: true,
    pageSize: 100,
    org: { accounts: 250, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
    ...options,
  });
  const entry = `{ connector: salesforce, instanceUrl: "\${env:SF_URL}", loginUrl: "\${env:SF_URL}", auth: ${auth} }`;
  const project = new ScratchProject(org, { connections: { salesforce: entry } });
  project.flow("accounts", "Account", [
    "{ connection: files, path: accounts, format: jsonl, compression: none }",
  ]);
  const exits: SluiceExit[] = [];
  const line = async (text: string) => {
    const exit = await project.line(text);
    exits.push(exit);
    return exit;
  };
  try {
    await work({ org, project, exits, line });
    assertSilent(org, project, exits);
  } finally {
    await org.close();
    project.remove();
  }
}

/** No token in any file below the project's folder, nor in anything that was printed. */
function assertSilent(org: SalesforceFake, project: ScratchProject, exits: readonly SluiceExit[]): void {
  const secrets = [...org.oauth.issued, org.clientSecret];
  expect(secrets.length).toBeGreaterThan(2);
  for (const { stdout, stderr } of exits)
    for (const secret of secrets) expect((stdout + stderr).includes(secret)).toBe(false);
  for (const name of readdirSync(project.dir, { recursive: true, encoding: "utf8" })) {
    const path = join(project.dir, name);
    if (!statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    for (const secret of secrets) expect(bytes.includes(secret), path).toBe(false);
  }
}

const SIGNED_IN = `{ type: oauth, clientId: "\${env:SF_CLIENT_ID}" }`;
const CONFIGURED = `{ type: refreshToken, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}", refreshToken: "\${env:SF_REFRESH_TOKEN}" }`;

describe("a connection that somebody signs in to", OPTIONS, () => {
  it("reads after sluice connect, from process to process, while the tokens rotate under it", async () => {
    await withWorld(SIGNED_IN, {}, async ({ org, project, exits, line }) => {
      const connect = project.start("connect salesforce --no-browser --port 0 -vv");
      const words = await said("authorize?", connect);
      const page = await fetch(/https?:\S+\/authorize\?\S+/.exec(words)?.[0] ?? "");
      expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("signed in")]);
      const exit = await connect.exit;
      exits.push(exit);
      expect([exit.code, exit.stdout]).toEqual([0, expect.stringContaining(org.username)]);
      for (let run = 1; run <= 3; run++) {
        org.expireTokens();
        const { code, stderr } = await line("run accounts --json -vv");
        expect([code, stderr]).toEqual([0, expect.not.stringContaining("error[")]);
        org.org.insertSome("Account", 10, run);
      }
      expect(org.oauth.granted).toEqual({ authorization_code: 1, refresh_token: 3 });
    });
  });

  it("stops waiting at Ctrl-C", async () => {
    await withWorld(SIGNED_IN, {}, async ({ project, exits }) => {
      const connect = project.start("connect salesforce --no-browser --port 0");
      await said("authorize?", connect);
      connect.child.kill("SIGINT");
      const exit = await connect.exit;
      exits.push(exit);
      expect([exit.code, exit.stderr]).toEqual([
        130,
        expect.stringContaining("cancelled; nothing was changed"),
      ]);
    });
  });
});

describe("a refresh token that works once", OPTIONS, () => {
  it("is used by one of several processes at once; the others take what it got", async () => {
    await withWorld(CONFIGURED, {}, async ({ org, line }) => {
      for (let round = 1; round <= 2; round++) {
        org.expireTokens();
        const exits = await Promise.all(Array.from({ length: 4 }, () => line("check salesforce")));
        for (const { code, stdout } of exits)
          expect([code, stdout]).toEqual([0, expect.stringContaining("ok")]);
        expect(org.oauth.granted).toEqual({ refresh_token: round });
      }
    });
  });

  it("survives SIGKILL between its rotation and our store where the account still takes the old one", async () => {
    await withWorld(CONFIGURED, { refreshGraceMs: 600_000 }, async ({ org, project, line }) => {
      expect((await line("check salesforce")).code).toBe(0);
      org.expireTokens();
      await killedAfterRotation(org, project);
      const { code, stderr } = await line("run accounts --json");
      expect([code, stderr]).toEqual([0, ""]);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
      expect(org.oauth.granted).toEqual({ refresh_token: 3 });
    });
  });

  it("where the account does not: one clear error, no further calls, and sluice connect mends it", async () => {
    await withWorld(CONFIGURED, {}, async ({ org, project, exits, line }) => {
      expect((await line("check salesforce")).code).toBe(0);
      org.expireTokens();
      await killedAfterRotation(org, project);
      const first = await line("run accounts --json");
      expect(first.code).toBe(3);
      expect(JSON.parse(first.stdout)).toMatchObject([
        {
          status: "failed",
          error: {
            class: "auth",
            code: "GRANT_REVOKED",
            message: expect.stringContaining("was cut off"),
            fix: expect.stringContaining("sluice connect salesforce"),
          },
        },
      ]);
      const requests = org.requests.total;
      for (const command of ["run accounts --json", "check salesforce", "plan accounts"])
        expect((await line(command)).code, command).toBe(3);
      const status = JSON.parse((await line("status --json")).stdout);
      expect(status.grants).toMatchObject([{ connection: "salesforce", state: "paused" }]);
      expect(org.requests.total).toBe(requests);
      const connect = project.start("connect salesforce --no-browser --port 0");
      await fetch(/https?:\S+\/authorize\?\S+/.exec(await said("authorize?", connect))?.[0] ?? "");
      const exit = await connect.exit;
      exits.push(exit);
      expect(exit.code).toBe(0);
      expect((await line("run accounts --json")).code).toBe(0);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
    });
  });
});

/** A process that dies when the account has rotated its refresh token, before the answer reaches it. */
async function killedAfterRotation(org: SalesforceFake, project: ScratchProject): Promise<void> {
  const token = org.oauth.token.bind(org.oauth);
  const rotated = org.refreshToken;
  const process = project.start("check salesforce");
  org.oauth.token = (request, url) => {
    org.oauth.token = token;
    const answer = token(request, url);
    process.child.kill("SIGKILL");
    return answer;
  };
  expect((await process.exit).signal).toBe("SIGKILL");
  expect(org.refreshToken).not.toBe(rotated);
}
