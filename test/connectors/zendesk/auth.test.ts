import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { zendesk } from "../../../connectors/zendesk/index.js";
import { AuthError, type Secret } from "../../../core/contracts/index.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { startZendeskFake, type ZendeskFakeOptions } from "../../fakes/zendesk/index.js";
import { expectSignInAt } from "../sign-in.js";
import { collect, connectTo, never, requestFor } from "./account.js";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function deskOf(options: ZendeskFakeOptions = {}) {
  const clock = new PatientClock();
  const fake = await startZendeskFake({ clock, account: { tickets: 30, others: 3 }, ...options });
  closers.push(() => fake.close());
  const connect = (auth: object, more: Parameters<typeof connectTo>[1] = {}) => {
    const connected = connectTo(fake.url, { clock, ...more, config: { auth, ...more.config } });
    closers.push(() => connected.source.close());
    return connected;
  };
  const refresh = (token = fake.oauth.refreshToken) => ({
    type: "refreshToken",
    clientId: fake.oauth.clientId,
    clientSecret: fake.oauth.clientSecret,
    refreshToken: token,
  });
  return { clock, fake, connect, refresh };
}

describe("a refresh token", () => {
  it("is stored anew before the access token that came with it is used", async () => {
    const { fake, connect, refresh } = await deskOf();
    const order: string[] = [];
    let stored: Secret | undefined;
    const first = fake.oauth.refreshToken;
    const { source } = connect(refresh(), {
      onTokenRotated: async (token) => {
        await Promise.resolve();
        order.push(`stored after ${fake.requests.byPath["GET /api/v2/users/me"] ?? 0} requests`);
        stored = token;
      },
    });
    await source.check(never());
    expect(order).toEqual(["stored after 0 requests"]);
    expect(stored?.open()).toBe(fake.oauth.refreshToken);
    expect(stored?.open()).not.toBe(first);
  });

  it("works once: the used one is refused, with what to do", async () => {
    const { fake, connect, refresh } = await deskOf();
    const used = fake.oauth.refreshToken;
    await connect(refresh(used)).source.check(never());
    const error = await connect(refresh(used))
      .source.check(never())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "auth", code: "ZENDESK_INVALID_GRANT" });
    expect(error instanceof AuthError && error.fix).toContain("Sign in again");
  });

  it("is used once by requests that come together", async () => {
    const { fake, connect, refresh } = await deskOf();
    const { source } = connect(refresh());
    await Promise.all([source.check(never()), source.discover(never()), source.check(never())]);
    expect(fake.oauth.granted).toEqual({ refresh_token: 1 });
  });

  it("is used before the access token ends, and not before that", async () => {
    const { clock, fake, connect, refresh } = await deskOf({ expiresIn: 86_400 });
    const { source } = connect(refresh());
    await source.check(never());
    clock.set(clock.now() + 86_400_000 * 0.89);
    await source.check(never());
    expect(fake.oauth.granted).toEqual({ refresh_token: 1 });
    clock.set(clock.now() + 86_400_000 * 0.02);
    await source.check(never());
    expect(fake.oauth.granted).toEqual({ refresh_token: 2 });
    expect(fake.requests.byStatus["401"]).toBeUndefined();
  });

  it("is used again when a token is refused in the middle of a read, and no record is lost", async () => {
    const { fake, connect, refresh } = await deskOf();
    const rotated: string[] = [];
    const { source } = connect(refresh(), {
      onTokenRotated: async (token) => {
        rotated.push(token.open());
      },
    });
    const request = await requestFor(source, "tickets", { options: { pageSize: 10, settle: 60_000 } });
    let records = 0;
    for await (const page of source.read(request)) {
      records += page.records.length;
      fake.oauth.expireAll();
    }
    expect(records).toBe(30);
    expect(rotated.length).toBeGreaterThan(1);
    expect(new Set(rotated).size).toBe(rotated.length);
  });

  it("that cannot be stored is not used, and the next try goes on from it", async () => {
    const { fake, connect, refresh } = await deskOf();
    let broken = true;
    const { source } = connect(refresh(), {
      onTokenRotated: async () => {
        if (broken) throw new Error("the disk is full");
      },
    });
    await expect(source.check(never())).rejects.toThrow("the disk is full");
    expect(fake.requests.byPath["GET /api/v2/users/me"]).toBeUndefined();
    broken = false;
    expect((await source.check(never())).identity).toContain("ada@example.com");
  });

  it("shows nowhere, nor do the tokens it brings", async () => {
    const { fake, connect, refresh } = await deskOf();
    const secrets = [fake.oauth.refreshToken, fake.oauth.clientSecret];
    const used = fake.oauth.refreshToken;
    const words: string[] = [];
    for (const token of [used, used]) {
      const { source, log, waits } = connect(refresh(token), {
        onTokenRotated: async (rotated) => {
          secrets.push(rotated.open());
        },
      });
      fake.faults.set({ rules: [{ path: "groups", fault: { kind: "status", preset: "forbidden" } }] });
      const outcomes = await Promise.allSettled([
        source.check(never()),
        requestFor(source, "groups").then((request) => collect(source.read(request))),
      ]);
      words.push(inspect({ outcomes, source, waits }, { depth: 20, showHidden: true }), ...log.lines);
    }
    const all = words.join("\n");
    expect(all).toContain("ZENDESK_INVALID_GRANT");
    for (const secret of [...secrets, ...fake.oauth.tokens()]) expect(all).not.toContain(secret);
    expect(secrets.length).toBeGreaterThan(2);
  });

  it("whose new one nobody stores is warned of", async () => {
    const { connect, refresh } = await deskOf();
    const { source, log } = connect(refresh());
    await source.check(never());
    expect(log.lines.filter((line) => line.includes("is not stored"))).toHaveLength(1);
  });
});

describe("other ways to sign in", () => {
  it("client credentials ask for a token at tokenUrl, as JSON", async () => {
    const { fake, connect } = await deskOf();
    const { source } = connect({
      type: "clientCredentials",
      clientId: fake.oauth.clientId,
      clientSecret: fake.oauth.clientSecret,
      tokenUrl: `${fake.url}/oauth/tokens`,
    });
    const report = await source.check(never());
    expect(report.identity).toBe("ada@example.com in fake");
    expect(report.details.role).toBe("admin");
    expect(report.warnings).toEqual([]);
    expect(fake.oauth.granted).toEqual({ client_credentials: 1 });
  });

  it("an API token works, and check and every read say that its days are numbered", async () => {
    const { fake, connect } = await deskOf();
    const auth = { type: "apiToken", email: fake.oauth.email, apiToken: fake.oauth.apiToken };
    const { source, log } = connect(auth);
    const report = await source.check(never());
    expect(report.warnings.join()).toContain("30 April 2027");
    const pages = await collect(source.read(await requestFor(source, "groups")));
    expect(pages.flatMap(({ records }) => records)).toHaveLength(3);
    expect(log.lines.filter((line) => line.includes("30 April 2027"))).toHaveLength(1);
  });

  it("credentials that Zendesk takes for nobody are an error of check", async () => {
    const { fake, connect } = await deskOf();
    const { source } = connect({ type: "apiToken", email: fake.oauth.email, apiToken: "wrong-token" });
    await expect(source.check(never())).rejects.toMatchObject({ kind: "auth", code: "ZENDESK_ANONYMOUS" });
  });

  it("an access token that ends soon is warned of; one that is refused cannot be renewed", async () => {
    const { fake, connect, refresh, clock } = await deskOf({ expiresIn: 7_200 });
    await connect(refresh()).source.check(never());
    const { source } = connect({ type: "accessToken", accessToken: fake.accessToken });
    expect((await source.check(never())).warnings).toEqual([]);
    fake.oauth.expireAll();
    clock.set(clock.now() + 1);
    const error = await source.check(never()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "auth", code: "ZENDESK_TOKEN_REFUSED" });
  });

  it("who is not an admin is told what that means", async () => {
    const { fake, connect } = await deskOf({ role: "agent" });
    const { source } = connect({ type: "accessToken", accessToken: fake.accessToken });
    expect((await source.check(never())).warnings.join()).toContain("exports need an admin");
    const streams = await source.discover(never());
    expect(streams.find(({ name }) => name === "tickets")).toMatchObject({ readable: false });
    expect(streams.find(({ name }) => name === "tickets")?.reason).toContain("admin");
    expect(streams.find(({ name }) => name === "groups")).toMatchObject({ readable: true });
    expect(streams.find(({ name }) => name === "articles")).toMatchObject({ readable: true });
  });

  it("people sign in at the account, or where the connection says", () => {
    expectSignInAt(
      zendesk,
      { subdomain: "acme" },
      {
        authorizeUrl: "https://acme.zendesk.com/oauth/authorizations/new",
        tokenUrl: "https://acme.zendesk.com/oauth/tokens",
      },
    );
  });

  it("the account is that of the subdomain where no address is given", () => {
    const parsed = zendesk.spec.configSchema.safeParse({
      subdomain: "acme",
      auth: { type: "accessToken", accessToken: "secret" },
    });
    expect(parsed.success).toBe(true);
    for (const subdomain of ["acme.zendesk.com", "https://acme", "", "a/b"]) {
      expect(
        zendesk.spec.configSchema.safeParse({ subdomain, auth: { type: "accessToken", accessToken: "x" } })
          .success,
      ).toBe(false);
    }
  });
});
