import { describe, expect, it } from "vitest";
import { createAuthenticator, singleFlight } from "../../../core/http/index.js";

describe("single flight", () => {
  it("runs once for callers that come together and again for one that comes later", async () => {
    let runs = 0;
    const flight = singleFlight(async () => ++runs);
    expect(await Promise.all([flight(), flight(), flight()])).toEqual([1, 1, 1]);
    expect(await flight()).toBe(2);
  });

  it("lets one caller leave without ending it for the others", async () => {
    let finish: (value: string) => void = () => undefined;
    let ended = false;
    const flight = singleFlight(
      (signal) =>
        new Promise<string>((resolve) => {
          finish = resolve;
          signal.addEventListener("abort", () => {
            ended = true;
          });
        }),
    );
    const leaver = new AbortController();
    const left = flight(leaver.signal);
    const stays = flight();
    leaver.abort();
    await expect(left).rejects.toMatchObject({ kind: "cancelled" });
    expect(ended).toBe(false);
    finish("done");
    expect(await stays).toBe("done");
  });

  it("ends the work when the last caller has left, and starts anew for the next", async () => {
    const signals: AbortSignal[] = [];
    const flight = singleFlight((signal) => {
      signals.push(signal);
      return new Promise<string>(() => undefined);
    });
    const leaver = new AbortController();
    const left = flight(leaver.signal);
    leaver.abort();
    await expect(left).rejects.toMatchObject({ kind: "cancelled" });
    expect(signals[0]?.aborted).toBe(true);
    const again = new AbortController();
    const second = flight(again.signal);
    expect(signals).toHaveLength(2);
    again.abort();
    await expect(second).rejects.toMatchObject({ kind: "cancelled" });
  });

  it("hands a failure to everyone and is then ready again", async () => {
    let runs = 0;
    const flight = singleFlight(async () => {
      if (++runs === 1) throw new Error("no");
      return runs;
    });
    const both = await Promise.allSettled([flight(), flight()]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await flight()).toBe(2);
  });
});

describe("authenticator", () => {
  it("renews only what is still in use", async () => {
    let made = 0;
    const auth = createAuthenticator({
      baseUrl: "https://a.example",
      obtain: async () => ({ headers: { authorization: `Bearer ${++made}` }, baseUrl: "https://a.example" }),
    });
    const first = await auth.credentials();
    const second = await auth.renew(first);
    expect(await auth.renew(first)).toBe(second);
    expect(await auth.credentials()).toBe(second);
    expect(made).toBe(2);
  });
});
