import { beforeEach, describe, expect, it } from "vitest";
import {
  AuthError,
  Secret,
  type TokenKeeper,
  type TokenRequest,
  type TokenSet,
} from "../../../core/contracts/index.js";
import { createGrantAuthenticator, renewalTime, tokensOf } from "../../../core/http/index.js";
import { PatientClock } from "./patient-clock.js";

const HOUR_MS = 3_600_000;

describe("an authenticator for a grant", () => {
  let clock: PatientClock;
  let requests: TokenRequest[];
  let count: number;
  let renewAt: number | undefined;
  beforeEach(() => {
    clock = new PatientClock();
    requests = [];
    count = 0;
    renewAt = undefined;
  });

  const set = (name: string): TokenSet => ({
    accessToken: new Secret(name),
    refreshToken: undefined,
    renewAt,
    baseUrl: undefined,
    identity: undefined,
  });

  const authenticator = (tokens: TokenKeeper, exchange: TokenRequest["exchange"] = async () => set("none")) =>
    createGrantAuthenticator({
      baseUrl: "https://acme.example",
      tokens,
      clock,
      exchange,
      sign: ({ accessToken }) => ({
        headers: { authorization: accessToken.open() },
        baseUrl: "https://acme.example",
      }),
    });

  const keeper: TokenKeeper = {
    obtain: async (request) => {
      requests.push(request);
      await Promise.resolve();
      return set(`access-${++count}`);
    },
  };

  it("asks the keeper once for requests that come together, and not again while the token lives", async () => {
    const auth = authenticator(keeper);
    const all = await Promise.all(Array.from({ length: 5 }, () => auth.credentials()));
    expect(new Set(all.map(({ headers }) => headers.authorization))).toEqual(new Set(["access-1"]));
    await auth.credentials();
    expect(requests).toHaveLength(1);
    expect(requests[0]?.refused).toBeUndefined();
  });

  it("tells the keeper which token was refused, once for all who were refused with it", async () => {
    const auth = authenticator(keeper);
    const first = await auth.credentials();
    const renewed = await Promise.all(Array.from({ length: 5 }, () => auth.renew(first)));
    expect(new Set(renewed.map(({ headers }) => headers.authorization))).toEqual(new Set(["access-2"]));
    // Refused long ago, while others have the new one already.
    expect((await auth.renew(first)).headers.authorization).toBe("access-2");
    expect(requests.map(({ refused }) => refused?.open())).toEqual([undefined, "access-1"]);
  });

  it("asks again once the token is to be replaced, and not before", async () => {
    const auth = authenticator(keeper);
    renewAt = clock.now() + 1000;
    await auth.credentials();
    clock.set(renewAt - 1);
    await auth.credentials();
    expect(requests).toHaveLength(1);
    clock.set(renewAt);
    renewAt += 1000;
    await auth.credentials();
    expect(requests).toHaveLength(2);
  });

  it("teaches the clients every token before it is sent", async () => {
    const secrets: Secret[] = [];
    const known = () => secrets.map((secret) => secret.open());
    const auth = createGrantAuthenticator({
      baseUrl: "https://acme.example",
      tokens: tokensOf({ connection: "crm", clock }, new Secret("refresh-0")),
      clock,
      exchange: async (token) => {
        expect(known()).toContain(token.open());
        const n = ++count;
        return { ...set(`access-${n}`), refreshToken: new Secret(`refresh-${n}`) };
      },
      sign: ({ accessToken }) => {
        expect(known()).toContain(accessToken.open());
        return { headers: {}, baseUrl: "https://acme.example" };
      },
      secrets,
    });
    await auth.renew(await auth.credentials());
    expect(known()).toEqual(["refresh-0", "access-1", "refresh-1", "access-2", "refresh-2"]);
  });

  it("is settled when no token request is under way", async () => {
    let answer = () => {};
    const auth = authenticator(
      { obtain: ({ exchange, signal }) => exchange(new Secret("refresh"), signal) },
      () =>
        new Promise((resolve) => {
          answer = () => resolve(set("late"));
        }),
    );
    await auth.settled?.();
    const waiting = auth.credentials();
    await Promise.resolve();
    let isSettled = false;
    const settled = auth.settled?.().then(() => {
      isSettled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSettled).toBe(false);
    answer();
    await settled;
    expect((await waiting).headers.authorization).toBe("late");
  });

  it("passes on what the keeper refuses, and asks again the next time", async () => {
    let isRevoked = true;
    const auth = authenticator({
      obtain: async (request) => {
        if (isRevoked) throw new AuthError("GRANT_REVOKED", "revoked");
        return keeper.obtain(request);
      },
    });
    await expect(auth.credentials()).rejects.toMatchObject({ code: "GRANT_REVOKED" });
    isRevoked = false;
    expect((await auth.credentials()).headers.authorization).toBe("access-1");
  });

  it("without a store tells of each rotated token before it uses what came with it", async () => {
    const told: string[] = [];
    const tokens = tokensOf(
      { connection: "crm", clock, onTokenRotated: async (token) => void told.push(token.open()) },
      new Secret("refresh-0"),
    );
    const asked: string[] = [];
    const exchange: TokenRequest["exchange"] = async (token) => {
      asked.push(token.open());
      const n = ++count;
      return { ...set(`access-${n}`), refreshToken: new Secret(`refresh-${n}`) };
    };
    const auth = authenticator(tokens, exchange);
    await auth.renew(await auth.credentials());
    expect([asked, told]).toEqual([
      ["refresh-0", "refresh-1"],
      ["refresh-1", "refresh-2"],
    ]);
    const none = authenticator(tokensOf({ connection: "crm", clock }, undefined));
    await expect(none.credentials()).rejects.toMatchObject({
      code: "GRANT_MISSING",
      fix: "Sign in: sluice connect crm",
    });
  });
});

it("renews two hours before the end, or in the last sixth of a short life", () => {
  expect(renewalTime(0, 24 * HOUR_MS)).toBe(22 * HOUR_MS);
  expect(renewalTime(0, 12 * HOUR_MS)).toBe(10 * HOUR_MS);
  expect(renewalTime(1000, 300_000)).toBe(1000 + 250_000);
});
