import { afterEach, describe, expect, it } from "vitest";
import { parseFaultScript } from "./salesforce/fault-script.js";
import { Faults } from "./salesforce/faults.js";
import { type Fault, type FaultRule, type SalesforceFake, startSalesforceFake } from "./salesforce/index.js";

const started: SalesforceFake[] = [];
async function start(rules: readonly FaultRule[], bench = false): Promise<SalesforceFake> {
  const org = { accounts: 450, contacts: 0, opportunities: 0, invoices: 0, users: 2 };
  const fake = await startSalesforceFake({
    org,
    pageSize: 200,
    faults: { rules },
    ...(bench ? { bench: { records: 1000 } } : {}),
  });
  started.push(fake);
  return fake;
}
afterEach(async () => {
  await Promise.all(started.splice(0).map((fake) => fake.close()));
});

const QUERY = `/services/data/v67.0/query?q=${encodeURIComponent("SELECT Id, Name, Industry FROM Account ORDER BY Id")}`;
const LIMITS = "/services/data/v67.0/limits";

async function get(fake: SalesforceFake, path: string, token = fake.accessToken) {
  const response = await fetch(fake.url + path, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** A query with one fault on its first page. */
async function struck(fault: Fault) {
  const fake = await start([{ path: "/query", on: { nth: 1 }, fault }]);
  return get(fake, QUERY);
}

describe("answers by script", () => {
  const errors: readonly (readonly [fault: Fault, status: number, code: string, words: string])[] = [
    [{ kind: "status", preset: "dailyLimit" }, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests"],
    [{ kind: "status", preset: "concurrentLimit" }, 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrg"],
    [
      { kind: "status", preset: "tooManyRequests", retryAfterSeconds: 2 },
      429,
      "REQUEST_LIMIT_EXCEEDED",
      "Too many",
    ],
    [{ kind: "status", preset: "serverError" }, 500, "UNKNOWN_EXCEPTION", "unexpected error"],
    [
      { kind: "status", preset: "unavailable", retryAfterSeconds: 7 },
      503,
      "SERVER_UNAVAILABLE",
      "unavailable",
    ],
    [{ kind: "status", preset: "queryTimeout" }, 400, "QUERY_TIMEOUT", "running for too long"],
    [
      { kind: "answer", status: 418, body: [{ errorCode: "TEAPOT", message: "short" }] },
      418,
      "TEAPOT",
      "short",
    ],
  ];
  it.each(errors)("%j", async (fault, status, code, words) => {
    const answer = await struck(fault);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual([{ errorCode: code, message: expect.stringContaining(words) }]);
    const wait = fault.kind === "status" ? fault.retryAfterSeconds : undefined;
    expect(answer.headers.get("retry-after")).toBe(wait === undefined ? null : String(wait));
  });

  it("HTML with an error status and HTML with status 200", async () => {
    const gateway = await struck({ kind: "status", preset: "html" });
    expect([gateway.status, gateway.text.slice(0, 6)]).toEqual([502, "<html>"]);
    const page = await struck({ kind: "htmlPage" });
    expect([page.status, page.text.slice(0, 6)]).toEqual([200, "<html>"]);
  });

  it("half a JSON that HTTP takes for whole", async () => {
    const answer = await struck({ kind: "halfJson" });
    expect(answer.status).toBe(200);
    expect(answer.text.slice(0, 14)).toBe('{"totalSize":4');
    expect(() => JSON.parse(answer.text)).toThrow(SyntaxError);
  });
});

describe("faults on the wire", () => {
  it("cuts a body below its Content-Length", async () => {
    await expect(struck({ kind: "cutBody", fraction: 0.5 })).rejects.toThrow("terminated");
    await expect(struck({ kind: "cutBody", bytes: 0 })).rejects.toThrow();
  });

  it("resets before the request is applied, or after", async () => {
    const fake = await start([
      { path: "/limits", on: { nth: 1 }, fault: { kind: "resetBefore" } },
      { path: "/limits", on: { nth: 2 }, fault: { kind: "resetAfter" } },
    ]);
    await expect(get(fake, LIMITS)).rejects.toThrow("fetch failed");
    expect(fake.apiUsage().used).toBe(0);
    await expect(get(fake, LIMITS)).rejects.toThrow("fetch failed");
    expect(fake.apiUsage().used).toBe(1);
    expect((await get(fake, LIMITS)).status).toBe(200);
    expect(fake.requests.byStatus).toEqual({ reset: 2, 200: 1 });
    expect(fake.faults.struck).toEqual({ resetBefore: 1, resetAfter: 1 });
  });

  it("loses the answer of a token refresh that was applied", async () => {
    const fake = await startSalesforceFake({
      org: { accounts: 0, contacts: 0, opportunities: 0, invoices: 0 },
      rotateRefreshToken: true,
      faults: { rules: [{ path: "/oauth2/token", on: { nth: 1 }, fault: { kind: "resetAfter" } }] },
    });
    started.push(fake);
    const before = fake.refreshToken;
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: fake.clientId,
      refresh_token: before,
    });
    await expect(fetch(`${fake.url}/services/oauth2/token`, { method: "POST", body })).rejects.toThrow();
    expect(fake.refreshToken).not.toBe(before);
  });

  it("comes late, or drips", async () => {
    const late = await start([{ fault: { kind: "slow", delayMs: 60 } }]);
    const asked = performance.now();
    await get(late, LIMITS);
    expect(performance.now() - asked).toBeGreaterThan(55);
    const dripping = await start([{ fault: { kind: "trickle", chunkBytes: 100, everyMs: 5 } }]);
    const begun = performance.now();
    const { text } = await get(dripping, LIMITS);
    expect(JSON.parse(text).DailyApiRequests.Max).toBe(100_000);
    expect(performance.now() - begun).toBeGreaterThan(5 * Math.floor(text.length / 100) - 1);
  });

  it("kills a token for good", async () => {
    const fake = await start([{ path: "/limits", on: { nth: 2 }, fault: { kind: "expireToken" } }]);
    const other = fake.oauth.startSession();
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await get(fake, LIMITS)).status);
    statuses.push((await get(fake, LIMITS, other)).status);
    expect(statuses).toEqual([200, 401, 401, 200]);
  });
});

describe("damaged pages", () => {
  it("repeat their own locator", async () => {
    const fake = await start([
      { path: "/query/01g", on: { nth: 1 }, fault: { kind: "repeatNextRecordsUrl" } },
    ]);
    const first: { nextRecordsUrl: string } = JSON.parse((await get(fake, QUERY)).text);
    const second: { nextRecordsUrl: string } = JSON.parse((await get(fake, first.nextRecordsUrl)).text);
    expect(second.nextRecordsUrl).toBe(first.nextRecordsUrl);
    const begins = await start([{ on: { nth: 1 }, fault: { kind: "repeatNextRecordsUrl" } }]);
    const page: { nextRecordsUrl: string; records: unknown } = JSON.parse((await get(begins, QUERY)).text);
    const again: { records: unknown } = JSON.parse((await get(begins, page.nextRecordsUrl)).text);
    expect(again.records).toEqual(page.records);
  });

  async function poisoned(rule: Extract<Fault, { kind: "poisonRecord" }>, bench = false) {
    const fake = await start([{ on: { nth: 2 }, fault: rule }], bench);
    const path = bench
      ? `/services/data/v67.0/query?q=${encodeURIComponent("SELECT Id, Name FROM Bench__c")}`
      : QUERY;
    const whole: { records: Record<string, unknown>[] } = JSON.parse((await get(fake, path)).text);
    const response = await fetch(fake.url + path, {
      headers: { authorization: `Bearer ${fake.accessToken}` },
    });
    return { whole: whole.records, bytes: Buffer.from(await response.arrayBuffer()) };
  }
  const records = (bytes: Buffer): Record<string, unknown>[] => JSON.parse(bytes.toString("utf8")).records;

  it.each([false, true])("lone surrogate in one record (bench: %s)", async (bench) => {
    const { whole, bytes } = await poisoned(
      { kind: "poisonRecord", poison: "loneSurrogate", record: 3, field: "Name" },
      bench,
    );
    const found = records(bytes);
    expect(found).toHaveLength(whole.length);
    expect(found[3]).toEqual({ ...whole[3], Name: "broken \ud83d emoji" });
    expect(found.filter((_, n) => n !== 3)).toEqual(whole.filter((_, n) => n !== 3));
  });

  it("invalid UTF-8", async () => {
    const { bytes } = await poisoned({ kind: "poisonRecord", poison: "invalidUtf8", field: "Name" });
    expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).toThrow(TypeError);
  });

  it("a key that comes twice", async () => {
    const { whole, bytes } = await poisoned({
      kind: "poisonRecord",
      poison: "duplicateKey",
      record: 1,
      field: "Name",
    });
    const text = bytes.toString("utf8");
    expect(text.split(`"Name":${JSON.stringify(whole[1]?.Name)}`)).toHaveLength(2);
    expect(records(bytes)[1]?.Name).toBe("the second value");
  });

  it("a text of 2 MiB", async () => {
    const { bytes } = await poisoned({ kind: "poisonRecord", poison: "hugeText", record: 199 });
    expect(records(bytes)[199]?.Name).toBe("x".repeat(2 * 1024 * 1024));
  });

  it("a value of another type, half a record", async () => {
    const wrong = await poisoned({ kind: "poisonRecord", poison: "wrongType", record: 2, field: "Industry" });
    expect(records(wrong.bytes)[2]?.Industry).toEqual({ unexpected: ["object", 1, null] });
    const half = await poisoned({ kind: "poisonRecord", poison: "halfRecord" });
    expect(() => records(half.bytes)).toThrow(SyntaxError);
  });
});

describe("fault scripts", () => {
  const kinds = (script: Parameters<typeof parseFaultScript>[0], targets: readonly string[]) => {
    const faults = new Faults(parseFaultScript(script));
    return targets.map((target) => faults.strike("GET", target)?.kind ?? "-");
  };

  it("choose by nth, lists, every, times, method and path", () => {
    const slow = { kind: "slow", delayMs: 1 };
    const six = ["/a", "/a", "/b", "/a", "/b", "/a"];
    expect(kinds({ rules: [{ path: "/a", on: { nth: 2 }, fault: slow }] }, six)).toEqual([
      "-",
      "slow",
      "-",
      "-",
      "-",
      "-",
    ]);
    expect(kinds({ rules: [{ path: "/^\\/b$/", on: { nth: [1, 2] }, fault: slow }] }, six)).toEqual([
      "-",
      "-",
      "slow",
      "-",
      "slow",
      "-",
    ]);
    expect(kinds({ rules: [{ on: { every: 2 }, times: 2, fault: slow }] }, six)).toEqual([
      "-",
      "slow",
      "-",
      "slow",
      "-",
      "-",
    ]);
    expect(kinds({ rules: [{ method: "POST", fault: slow }] }, six)).toEqual(["-", "-", "-", "-", "-", "-"]);
    expect(kinds({ rules: [{ path: "/b", fault: { kind: "resetBefore" } }, { fault: slow }] }, six)).toEqual([
      "slow",
      "slow",
      "resetBefore",
      "slow",
      "resetBefore",
      "slow",
    ]);
  });

  it("choose by probability the same way for the same seed", () => {
    const many = Array.from({ length: 400 }, () => "/x");
    const script = (seed: number) => ({
      seed,
      rules: [{ on: { probability: 0.25 }, fault: { kind: "resetBefore" } }],
    });
    const one = kinds(script(5), many);
    expect(kinds(script(5), many)).toEqual(one);
    expect(kinds(script(6), many)).not.toEqual(one);
    const hits = one.filter((kind) => kind !== "-").length;
    expect(hits).toBeGreaterThan(60);
    expect(hits).toBeLessThan(140);
  });

  it.each([
    [{ rules: [{ fault: { kind: "explode" } }] }],
    [{ rules: [{ fault: { kind: "slow" } }] }],
    [{ rules: [{ fault: { kind: "status", preset: "sunny" } }] }],
    [{ rules: [{ on: { sometimes: 1 }, fault: { kind: "resetBefore" } }] }],
    [{ rules: [{ path: 5, fault: { kind: "resetBefore" } }] }],
    [[]],
    ["no"],
  ])("refuse %j", (script) => {
    expect(() => parseFaultScript(script)).toThrow(/fault (rule 1 is not|script is)/);
  });
});
