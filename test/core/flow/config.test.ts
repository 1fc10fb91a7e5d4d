import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  duration,
  integer,
  parseDuration,
  parseSize,
  Secret,
  secret,
  size,
  text,
  url,
} from "../../../core/contracts/index.js";

const schema = z.strictObject({
  host: text().describe("Host."),
  password: secret().describe("Password."),
  timeout: duration({ min: "1s", max: "1h" }).prefault("5m").describe("Timeout."),
  fileSize: size().optional().describe("Size of a file."),
  endpoint: url().optional().describe("Endpoint."),
  style: text(z.enum(["path", "host"]))
    .default("path")
    .describe("Style."),
  port: integer({ min: 1, max: 65_535 }).default(5432).describe("Port."),
});

describe("building blocks of connector schemas", () => {
  test("a Secret is accepted wherever YAML may hold text, and opened unless the key is secret", () => {
    const parsed = schema.parse({
      host: new Secret("db.example"),
      password: new Secret("hunter2"),
      timeout: new Secret("10s"),
      fileSize: new Secret("128MB"),
      endpoint: new Secret("https://host.example/base/"),
      style: new Secret("host"),
      port: new Secret("6432"),
    });
    expect(parsed).toMatchObject({
      host: "db.example",
      timeout: 10_000,
      fileSize: 128_000_000,
      endpoint: "https://host.example/base",
      style: "host",
      port: 6432,
    });
    expect(parsed.password.open()).toBe("hunter2");
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
  });

  test("defaults, and a plain string under a secret key becomes a Secret", () => {
    const parsed = schema.parse({ host: "a", password: "b" });
    expect(parsed.password).toBeInstanceOf(Secret);
    expect(parsed).toMatchObject({ timeout: 300_000, style: "path", port: 5432 });
  });

  test("messages say what was expected and never hold the value", () => {
    const result = schema.safeParse({
      host: "",
      password: "",
      timeout: "2 weeks",
      fileSize: new Secret("s3cret"),
      endpoint: "http://host.example",
      port: 70_000,
    });
    expect(result.error?.issues.map((issue) => [issue.path.join("."), issue.message])).toEqual([
      ["host", "expected a text that is not empty"],
      ["password", "expected a secret that is not empty"],
      ["timeout", "expected a duration such as 10s, 5m, 1h or 7d"],
      ["fileSize", "expected a size such as 64KiB or 128MB"],
      ["endpoint", "expected a URL that starts with https:// (plain http is allowed to this machine only)"],
      ["port", "expected an integer from 1 to 65535"],
    ]);
    expect(schema.safeParse({ host: "a", password: "b", timeout: "2h" }).error?.issues[0]?.message).toBe(
      "expected a duration of at least 1s and of at most 1h",
    );
  });

  test.each([
    ["http://127.0.0.1:9000", true],
    ["http://localhost:9000/", true],
    ["http://[::1]:80", true],
    ["http://127.0.0.1.evil.example", false],
    ["http://localhost.evil.example", false],
    ["https://user:pass@host.example", false],
    ["ftp://host.example", false],
    ["host.example", false],
  ])("url %s -> %s", (value, valid) => {
    expect(url().safeParse(value).success).toBe(valid);
  });

  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5h", 5_400_000],
    ["7d", 604_800_000],
    ["5", undefined],
    ["-5m", undefined],
    ["5 minutes", undefined],
    ["", undefined],
  ])("duration %s", (value, ms) => expect(parseDuration(value)).toBe(ms));

  test.each([
    ["128MB", 128_000_000],
    ["128MiB", 134_217_728],
    ["1kB", 1000],
    ["1.5KiB", 1536],
    ["10B", 10],
    ["10", undefined],
    ["10 mb", undefined],
  ])("size %s", (value, bytes) => expect(parseSize(value)).toBe(bytes));

  test("each converts to JSON Schema as the text that stands in YAML", () => {
    const json = z.toJSONSchema(schema, { io: "input" });
    expect(json.properties).toMatchObject({
      host: { type: "string", description: "Host." },
      password: { type: "string", secret: true, description: "Password." },
      timeout: { type: "string", default: "5m", pattern: "^\\d+(\\.\\d+)? ?(ms|s|m|h|d)$" },
      style: { enum: ["path", "host"] },
      port: { type: "integer", minimum: 1, maximum: 65_535 },
    });
    expect(json.required).toEqual(["host", "password"]);
  });
});
