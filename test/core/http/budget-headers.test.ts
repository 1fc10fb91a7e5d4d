import { describe, expect, it } from "vitest";
import { rateLimitHeaders, rateLimitList } from "../../../core/http/index.js";

describe("headers of a rate limit", () => {
  it.each([
    [{ "ratelimit-limit": "700", "ratelimit-remaining": "699", "ratelimit-reset": "8" }, [700, 699, 8_000]],
    [{ "rate-limit": "700", "rate-limit-remaining": "12", "rate-limit-reset": "43" }, [700, 12, 43_000]],
    [{ "x-rate-limit": "700", "x-rate-limit-remaining": "0" }, [700, 0, undefined]],
    [{ "x-ratelimit-limit": "100, 100;w=60", "x-ratelimit-remaining": " 7 " }, [100, 7, undefined]],
    // An epoch is no number of seconds from now.
    [{ "x-ratelimit-remaining": "7", "x-ratelimit-reset": "1767225600" }, [undefined, 7, undefined]],
  ])("are read: %j", (headers, [limit, remaining, resetsInMs]) => {
    expect(rateLimitHeaders(headers)).toEqual({ limit, remaining, resetsInMs });
  });

  it.each<Record<string, string>>([
    {},
    { "ratelimit-reset": "8" },
    { "ratelimit-limit": "many", "ratelimit-remaining": "-1" },
  ])("say nothing: %j", (headers) => {
    expect(rateLimitHeaders(headers)).toBeUndefined();
  });

  it("in one line", () => {
    expect(rateLimitList("total=100; remaining=99; resets=43")).toEqual({
      limit: 100,
      remaining: 99,
      resetsInMs: 43_000,
    });
    expect(rateLimitList("remaining=0")).toEqual({ limit: undefined, remaining: 0, resetsInMs: undefined });
    expect(rateLimitList("total=100")).toBeUndefined();
    expect(rateLimitList(undefined)).toBeUndefined();
  });
});
