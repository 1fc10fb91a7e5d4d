import { readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  AuthError,
  type Clock,
  type Environment,
  Secret,
  type Source,
  systemClock,
  systemRandom,
  type TokenSet,
  TransientError,
} from "../../../core/contracts/index.js";
import { readGrant } from "../../../core/run/grant-record.js";
import { grantStates } from "../../../core/run/grant-status.js";
import { GrantedSource } from "../../../core/run/granted-source.js";
import type { GrantOwner } from "../../../core/run/grants.js";
import { Grants } from "../../../core/run/grants.js";
import { openEnvironment, TokenCipher } from "../../../core/store/index.js";
import { LogSpy } from "../http/log-spy.js";
import { scratchDir } from "../store/scratch-dir.js";
import { appWith, GrantingAccount, lost, SPEC } from "./granting-account.js";

const KEY = new Secret("ab".repeat(32));

describe("the grant of a connection", () => {
  let dir: ReturnType<typeof scratchDir>;
  let account: GrantingAccount;
  let opened: Environment[];
  let log: LogSpy;
  let learned: string[];
  beforeEach(() => {
    dir = scratchDir();
    account = new GrantingAccount();
    opened = [];
    log = new LogSpy();
    learned = [];
  });
  afterEach(async () => {
    for (const environment of opened) await environment.close();
    dir.remove();
  });

  /** What a process has of the data directory. `wrap` stands between it and its environment. */
  async function open(
    options: { clock?: Clock; wrap?: (environment: Environment) => Environment } = {},
  ): Promise<{ grants: Grants; environment: Environment }> {
    const clock = options.clock ?? systemClock;
    const environment = await openEnvironment({ dataDir: dir.path, clock, random: systemRandom });
    opened.push(environment);
    const used = options.wrap?.(environment) ?? environment;
    const grants = new Grants({
      environment: () => Promise.resolve(used),
      cipher: new TokenCipher(dir.path, KEY),
      clock,
      random: systemRandom,
      log,
      onSecret: (secret) => learned.push(secret.open()),
    });
    return { grants, environment };
  }

  const ownerOf = (refreshToken: string | undefined, more: Partial<GrantOwner> = {}): GrantOwner => ({
    connection: "crm",
    config: { auth: { clientId: "the-app", refreshToken: refreshToken ?? null } },
    app: appWith(refreshToken),
    spec: SPEC,
    ...more,
  });
  const owner = ownerOf("refresh-0");

  const obtain = (grants: Grants, refused?: TokenSet, by = owner, signal = new AbortController().signal) =>
    grants.keeper(by).obtain({ refused: refused?.accessToken, exchange: account.exchange, signal });

  const accessOf = (tokens: TokenSet) => tokens.accessToken.open();

  it("begins with the refresh token of sluice.yaml, and goes on with what is stored", async () => {
    const first = await open();
    const tokens = await obtain(first.grants);
    expect(accessOf(tokens)).toBe("access-1");
    // Another process: no call, and all that came with the answer.
    const second = await open();
    expect(await obtain(second.grants)).toMatchObject({ baseUrl: "https://acme.example" });
    expect(accessOf(await obtain(second.grants))).toBe("access-1");
    expect(account.asked).toEqual(["refresh-0"]);
    // Refused: the stored refresh token, not the configured one, which is dead.
    expect(accessOf(await obtain(second.grants, tokens))).toBe("access-2");
    expect(accessOf(await obtain(first.grants, tokens))).toBe("access-2");
    expect(account.asked).toEqual(["refresh-0", "refresh-1"]);
    expect(learned).toEqual(expect.arrayContaining(["access-1", "access-2", "refresh-1", "refresh-2"]));
  });

  it("is refreshed by one of many at a time; the others take what it stored", async () => {
    const processes = await Promise.all(Array.from({ length: 6 }, () => open()));
    let tokens = await Promise.all(processes.map(({ grants }) => obtain(grants)));
    for (let round = 1; round <= 4; round++) {
      expect(new Set(tokens.map(accessOf))).toEqual(new Set([`access-${round}`]));
      expect(account.asked).toHaveLength(round);
      const refused = tokens;
      tokens = await Promise.all(processes.map(({ grants }, index) => obtain(grants, refused[index])));
    }
    expect(account.asked).toEqual([0, 1, 2, 3, 4].map((n) => `refresh-${n}`));
  });

  it("stores new tokens before anybody gets them", async () => {
    let isStored = false;
    const { grants } = await open({
      wrap: (inner) => ({
        ...bound(inner),
        transaction: async (work) => {
          const result = await inner.transaction(work);
          if (readGrant(inner.store, "crm")?.sealed != null) isStored = true;
          return result;
        },
      }),
    });
    const tokens = await obtain(grants);
    expect([accessOf(tokens), isStored]).toEqual(["access-1", true]);
  });

  it("is renewed before the access token ends", async () => {
    let now = systemClock.now();
    const { grants } = await open({ clock: { ...systemClock, now: () => now } });
    account.renewAt = now + 1000;
    await obtain(grants);
    now += 999;
    expect(accessOf(await obtain(grants))).toBe("access-1");
    now += 1;
    account.renewAt = now + 1000;
    expect(accessOf(await obtain(grants))).toBe("access-2");
  });

  it("keeps a refresh token that is not rotated", async () => {
    account.rotates = false;
    const { grants } = await open();
    const first = await obtain(grants);
    await obtain(grants, first);
    expect(account.asked).toEqual(["refresh-0", "refresh-0"]);
  });

  it("survives a lost answer where the account takes the old refresh token for a while", async () => {
    account.grace = true;
    account.onAnswer = lost;
    const { grants } = await open();
    await expect(obtain(grants)).rejects.toMatchObject({ code: "HTTP_NO_ANSWER" });
    account.onAnswer = () => undefined;
    const again = await open();
    expect(accessOf(await obtain(again.grants))).toBe("access-2");
    expect(account.asked).toEqual(["refresh-0", "refresh-0"]);
  });

  it("tells of the lost answer where the account does not", async () => {
    account.onAnswer = lost;
    const { grants } = await open();
    await expect(obtain(grants)).rejects.toMatchObject({ kind: "transient" });
    account.onAnswer = () => undefined;
    await expect(obtain(grants)).rejects.toMatchObject({
      code: "GRANT_REVOKED",
      message: expect.stringMatching(/a request for tokens of 20\S+Z was cut off/),
    });
  });

  it("falls back to the refresh token before where the account has forgotten the newest, and only once", async () => {
    const { grants } = await open();
    const first = await obtain(grants);
    const second = await obtain(grants, first);
    account.fallBack();
    const third = await obtain(grants, second);
    expect(accessOf(third)).toBe("access-3");
    expect(account.asked).toEqual(["refresh-0", "refresh-1", "refresh-2", "refresh-1"]);
    account.revoke();
    await expect(obtain(grants, third)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    expect(account.asked).toHaveLength(6);
  });

  it("is paused by a revoked refresh token: one clear error, and no more calls, in any process", async () => {
    const { grants, environment } = await open();
    const tokens = await obtain(grants);
    account.revoke();
    const refusal = {
      kind: "auth",
      code: "GRANT_REVOKED",
      place: "crm",
      message: expect.stringMatching(
        /^the sign-in of crm has ended, and its flows are paused since 20\S+Z: invalid_grant/,
      ),
      fix: expect.stringContaining("sluice connect crm"),
    };
    await expect(obtain(grants, tokens)).rejects.toMatchObject(refusal);
    const calls = account.asked.length;
    const other = await open();
    for (const process of [grants, other.grants]) {
      await expect(obtain(process)).rejects.toMatchObject(refusal);
      await expect(process.assertLive(owner)).rejects.toMatchObject(refusal);
    }
    expect(account.asked).toHaveLength(calls);
    const stored = JSON.stringify(readGrant(environment.store, "crm"));
    for (const token of account.asked) expect(stored).not.toContain(token);
  });

  it("goes on after a new sign-in", async () => {
    const { grants, environment } = await open();
    const tokens = await obtain(grants);
    account.revoke();
    await expect(obtain(grants, tokens)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    account.refreshToken = "refresh-new";
    const fresh = {
      ...tokens,
      accessToken: new Secret("access-new"),
      refreshToken: new Secret("refresh-new"),
    };
    await grants.begin(owner, fresh, new AbortController().signal);
    expect(accessOf(await obtain(grants))).toBe("access-new");
    expect(accessOf(await obtain(grants, fresh))).toBe("access-2");
    expect(account.asked.at(-1)).toBe("refresh-new");
    expect(states(environment, owner)).toMatchObject([{ state: "live", error: null }]);
  });

  it("goes on after any change of the connection's entry, and pauses again where that did not help", async () => {
    const { grants, environment } = await open();
    account.revoke();
    await expect(obtain(grants)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    expect(states(environment, owner)).toMatchObject([
      { connection: "crm", state: "paused", error: { code: "ACCOUNT_INVALID_GRANT" } },
    ]);
    const wrong = ownerOf("refresh-mistyped");
    expect(states(environment, wrong)).toEqual([]);
    await expect(obtain(grants, undefined, wrong)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    await expect(obtain(grants, undefined, wrong)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    expect(account.asked).toEqual(["refresh-0", "refresh-mistyped"]);
    const right = ownerOf(account.refreshToken);
    expect(accessOf(await obtain(grants, undefined, right))).toBe("access-1");
  });

  it("is not that of another refresh token in sluice.yaml: the stored one may be of another account", async () => {
    const { grants } = await open();
    await obtain(grants);
    account.refreshToken = "refresh-of-b";
    expect(accessOf(await obtain(grants, undefined, ownerOf("refresh-of-b")))).toBe("access-2");
    expect(account.asked).toEqual(["refresh-0", "refresh-of-b"]);
  });

  it("survives a new client secret", async () => {
    const { grants } = await open();
    await obtain(grants);
    const changed = ownerOf("refresh-0", {
      config: { auth: { clientSecret: "new" } },
      app: appWith("refresh-0", { clientSecret: new Secret("new") }),
    });
    expect(accessOf(await obtain(grants, undefined, changed))).toBe("access-1");
  });

  it("asks to sign in where nobody has, and where it was to another account", async () => {
    const { grants } = await open();
    const signedIn = ownerOf(undefined);
    const missing = { kind: "auth", code: "GRANT_MISSING", fix: "Sign in: sluice connect crm" };
    await expect(obtain(grants, undefined, signedIn)).rejects.toMatchObject(missing);
    const tokens = await account.exchange(new Secret("refresh-0"), new AbortController().signal);
    await grants.begin(signedIn, tokens, new AbortController().signal);
    expect(accessOf(await obtain(grants, undefined, signedIn))).toBe("access-1");
    const elsewhere = ownerOf(undefined, { app: appWith(undefined, { account: "evil" }) });
    await expect(obtain(grants, undefined, elsewhere)).rejects.toMatchObject(missing);
  });

  it("lets who cancels leave at once, and stores what the account then answers", async () => {
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      account.onAnswer = () => {
        resolve();
        return new Promise<void>((go) => {
          answer = go;
        });
      };
    });
    const { grants } = await open();
    const cancel = new AbortController();
    const waiting = obtain(grants, undefined, owner, cancel.signal);
    await asked;
    cancel.abort();
    await expect(waiting).rejects.toMatchObject({ kind: "cancelled" });
    let isClosed = false;
    const closing = grants.close().then(() => {
      isClosed = true;
    });
    await systemClock.sleep(1);
    expect(isClosed).toBe(false);
    answer();
    await closing;
    const next = await open();
    expect(accessOf(await obtain(next.grants))).toBe("access-1");
    expect(account.asked).toHaveLength(1);
  });

  it("keeps tokens that could not be stored, and stores them with the next try", async () => {
    let isFull = false;
    const { grants } = await open({
      wrap: (inner) => ({
        ...bound(inner),
        transaction: async (work) => {
          if (isFull) throw new TransientError("DISK_FULL", "full");
          return inner.transaction(work);
        },
      }),
    });
    account.onAnswer = () => {
      isFull = true;
    };
    await expect(obtain(grants)).rejects.toMatchObject({ code: "DISK_FULL" });
    isFull = false;
    // Its own lease could not be given back either, and is of a process that lives: it runs out.
    const freed = await open();
    await freed.environment.transaction(({ store }) => store.deleteLease("grant/crm"));
    expect(accessOf(await obtain(grants))).toBe("access-1");
    expect(account.asked).toEqual(["refresh-0"]);
    expect(accessOf(await obtain(freed.grants))).toBe("access-1");
  });

  it("of a process that slept through its lease does not undo what was stored meanwhile", async () => {
    const sleeper = await open();
    const other = await open();
    account.grace = true;
    let isFirst = true;
    account.onAnswer = async () => {
      if (!isFirst) return;
      isFirst = false;
      // The lease runs out, and another process refreshes with the same token.
      await other.environment.transaction(({ store }) => store.deleteLease("grant/crm"));
      await obtain(other.grants);
    };
    expect(accessOf(await obtain(sleeper.grants))).toBe("access-2");
    expect(readGrant(other.environment.store, "crm")?.revision).toBe(1);
    expect(log.lines.join("\n")).toContain("another process has changed the grant meanwhile");
  });

  it("heals when the sleeper holds the token that made the other one fail", async () => {
    const sleeper = await open();
    const other = await open();
    account.onAnswer = async () => {
      await other.environment.transaction(({ store }) => store.deleteLease("grant/crm"));
      await expect(obtain(other.grants)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    };
    expect(accessOf(await obtain(sleeper.grants))).toBe("access-1");
    expect(accessOf(await obtain(other.grants))).toBe("access-1");
  });

  it("is paused by whatever call says that it is gone, but not by one that used older tokens", async () => {
    const { grants, environment } = await open();
    const old = await obtain(grants);
    const other = await open();
    const fresh = await obtain(other.grants, old);
    const gone = new AuthError("ACCOUNT_INVALID_GRANT", "token_revoked");
    const failing = new GrantedSource(sourceThatThrows(gone), grants, owner);
    const request = new AbortController().signal;
    // The other one has a new token meanwhile: the old one's end says nothing.
    await expect(failing.discover(request)).rejects.toBe(gone);
    expect(states(environment, owner)).toMatchObject([{ state: "live" }]);
    expect(accessOf(await obtain(grants, old))).toBe(accessOf(fresh));
    await expect(failing.discover(request)).rejects.toMatchObject({
      code: "GRANT_REVOKED",
      message: expect.stringContaining("token_revoked"),
      cause: gone,
    });
    await expect(obtain(other.grants)).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    expect(account.asked).toHaveLength(2);
    const busy = new TransientError("BUSY", "later");
    await expect(new GrantedSource(sourceThatThrows(busy), grants, owner).check(request)).rejects.toBe(busy);
  });

  it("takes the lease of a process that is gone", async () => {
    const { grants, environment } = await open();
    const now = systemClock.now();
    await environment.transaction(({ store }) =>
      store.putLease({
        name: "grant/crm",
        owner: "gone",
        // Above what Linux hands out.
        pid: 2 ** 22 + 1,
        host: hostname(),
        acquiredAt: now,
        expiresAt: now + 1_000_000,
      }),
    );
    expect(accessOf(await obtain(grants))).toBe("access-1");
  });

  it("cannot be swapped with that of another connection", async () => {
    const { grants, environment } = await open();
    await obtain(grants);
    await environment.transaction(({ store }) => {
      const value = store.get("grant/crm");
      if (value !== undefined) store.put("grant/desk", value);
    });
    const desk = { ...owner, connection: "desk" };
    await expect(obtain(grants, undefined, desk)).rejects.toMatchObject({ code: "TOKEN_DAMAGED" });
    expect(account.asked).toHaveLength(1);
  });

  it("is in no file of the data directory in plain text", async () => {
    const { grants } = await open();
    const first = await obtain(grants);
    await obtain(grants, first);
    const needles = ["refresh-0", "refresh-1", "refresh-2", "access-1", "access-2"];
    for (const file of filesBelow(dir.path)) {
      const bytes = readFileSync(file);
      for (const needle of needles) {
        expect(bytes.includes(needle), `${needle} in ${file}`).toBe(false);
        expect(bytes.includes(Buffer.from(needle).toString("base64")), `${needle} in ${file}`).toBe(false);
      }
    }
    expect(log.lines.join("\n")).not.toMatch(/(refresh|access)-\d/);
  });
});

function states(environment: Environment, { connection, config }: GrantOwner) {
  return grantStates(environment.store, {
    dir: "",
    dataDir: "",
    connections: new Map([[connection, { name: connection, connector: "x", config, role: "source" }]]),
    flows: new Map(),
    problems: [],
    server: { host: "127.0.0.1", sqsPort: 0 },
    buffer: {
      type: "durable",
      sync: "commit",
      visibilityTimeoutMs: 0,
      maxReceiveCount: 1,
      retentionMs: 0,
      messageBytes: 0,
      highWaterBytes: 0,
      alarms: undefined,
    },
  });
}

function sourceThatThrows(error: Error): Source {
  const fails = () => Promise.reject(error);
  return {
    check: fails,
    discover: fails,
    describe: fails,
    plan: fails,
    read: () => ({ [Symbol.asyncIterator]: () => ({ next: fails }) }),
    apiCalls: () => 0,
    close: () => Promise.resolve(),
  };
}

/** Getters and methods of a class instance, as an object that can be spread. */
function bound(environment: Environment): Environment {
  return {
    queues: environment.queues,
    store: environment.store,
    transaction: (work) => environment.transaction(work),
    close: () => environment.close(),
  };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());
}
