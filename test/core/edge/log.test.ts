import { describe, expect, it } from "vitest";
import { Secret, TransientError } from "../../../core/contracts/index.js";
import { createLog, type LogOptions } from "../../../core/edge/log.js";
import { createRedactor } from "../../../core/edge/redactor.js";
import { VirtualClock } from "../../virtual-clock.js";

function logOf(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const redactor = createRedactor();
  const log = createLog({
    level: "info",
    format: "json",
    clock: new VirtualClock(Date.UTC(2026, 10, 22, 7, 36, 4, 123)),
    redactor,
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines, redactor };
}

describe("log", () => {
  it("writes one JSON object a line, with the time of the clock", () => {
    const { log, lines } = logOf();
    log.info("page stored", { records: 2000, flow: "a" });
    log.debug("not shown");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: "info", time: "2026-11-22T07:36:04.123Z", records: 2000, flow: "a", message: "page stored" },
    ]);
    expect(lines[0]?.endsWith("}\n")).toBe(true);
  });

  it("writes text for people", () => {
    const { log, lines } = logOf({ format: "text" });
    log.warn("slow down", { reason: "rate limit reached", ms: 30 });
    expect(lines).toEqual(['07:36:04 warn  slow down reason="rate limit reached" ms=30\n']);
  });

  it("redacts learned secrets, secret keys, Secrets and known shapes, however deep", () => {
    const { log, lines, redactor } = logOf();
    redactor.learn({ auth: [{ clientSecret: new Secret("s3cr3t/value+1") }] });
    log.info("sent s3cr3t/value+1 with Bearer abcdefghijkl", {
      headers: { Authorization: "Basic x", "set-cookie": "y", accept: "text/csv" },
      nested: [{ client_secret: "z", note: "again s3cr3t/value+1 and s3cr3t%2Fvalue%2B1" }],
      secret: new Secret("other-secret"),
      url: "https://h.example/p?access_token=abc&x=1",
      session: "00D5g000004xyzA!AQEAQJx7r9wD2c1fT3",
      dsn: "postgres://user:pa55@host/db",
    });
    const text = lines.join("");
    for (const leak of [
      "s3cr3t",
      "abcdefghijkl",
      "Basic x",
      "other-secret",
      "access_token=abc",
      "AQEAQJ",
      "pa55",
    ]) {
      expect(text).not.toContain(leak);
    }
    expect(JSON.parse(text)).toMatchObject({
      headers: { Authorization: "[redacted]", "set-cookie": "[redacted]", accept: "text/csv" },
      url: "https://h.example/p?access_token=[redacted]&x=1",
      dsn: "postgres://user:[redacted]@host/db",
    });
  });

  it("redacts a key file line by line", () => {
    const redactor = createRedactor();
    const body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj";
    redactor.learn(new Secret(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`));
    expect(redactor.text(`asn1 error near ${body}`)).toBe("asn1 error near [redacted]");
    expect(redactor.text(`-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----`)).toBe("[redacted]");
  });

  it("does not mask what is too short to be a secret", () => {
    const redactor = createRedactor();
    redactor.learn(new Secret("a"));
    expect(redactor.text("a banana")).toBe("a banana");
  });

  it("takes of an error its own words and its causes, not what clients hang onto it", () => {
    const { log, lines } = logOf();
    const cause = Object.assign(new Error("socket hang up"), {
      config: { headers: { Authorization: "Bearer zzz" } },
    });
    log.error("gave up", {
      error: new TransientError("HTTP_RESET", "no answer", { place: "salesforce", cause }),
    });
    const [entry] = lines.map((line) => JSON.parse(line));
    expect(entry.error).toMatchObject({
      name: "TransientError",
      code: "HTTP_RESET",
      place: "salesforce",
      cause: { message: "socket hang up" },
    });
    expect(lines.join("")).not.toContain("Authorization");
  });

  it("survives cycles", () => {
    const { log, lines } = logOf();
    const loop: Record<string, unknown> = { name: "loop" };
    loop.self = loop;
    log.info("x", { loop });
    expect(lines).toHaveLength(1);
  });
});
