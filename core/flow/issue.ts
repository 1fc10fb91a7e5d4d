/** What zod found, as problems a person can act on: one sentence, at the line and column of the key or value. */
import type { z } from "zod";
import { ExactNumber, Secret } from "../contracts/index.js";
import { didYouMean, nearestName } from "./nearest.js";
import { problemAt } from "./problem.js";
import { descriptionAt, keysAt } from "./schema-walk.js";
import type { Problem } from "./types.js";
import type { YamlFile } from "./yaml-file.js";

/** A value for the end of a message; a Secret stays one. */
export function found(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (value instanceof Secret) return "a secret ([redacted])";
  if (value instanceof ExactNumber) return `the number ${value.text.slice(0, 60)}`;
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "a mapping of keys";
  if (typeof value !== "string") return typeof value === "number" ? `the number ${value}` : String(value);
  return value === "" ? "an empty text" : `"${value.length > 60 ? `${value.slice(0, 57)}...` : value}"`;
}

const TYPE_NOUNS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "an integer",
  boolean: "true or false",
  array: "a list",
  object: "a mapping of keys",
  record: "a mapping of keys",
  null: "nothing",
};

const list = (values: readonly unknown[]): string => values.map(String).join(", ");

/** Default messages: used where the schema gives none of its own. */
function describe(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${TYPE_NOUNS[issue.expected] ?? `a ${issue.expected}`}`;
    case "invalid_value": {
      const [only] = issue.values;
      return issue.values.length === 1 ? `expected ${String(only)}` : `expected one of ${list(issue.values)}`;
    }
    case "too_small":
    case "too_big": {
      const bound = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
      if (issue.origin === "string") return `expected a text of ${bound} characters`;
      if (issue.origin === "array" || issue.origin === "set") return `expected a list of ${bound} entries`;
      return `expected a number of ${bound}`;
    }
    case "invalid_format":
      return issue.format === "regex"
        ? "expected another format"
        : `expected a text in the format ${issue.format}`;
    case "invalid_union":
      return "options" in issue && Array.isArray(issue.options)
        ? `expected one of ${list(issue.options)}`
        : "expected another form";
    case "invalid_key":
      return "expected another name for this key";
    default:
      return "expected another value";
  }
}

type Issue = z.core.$ZodIssue;

/** Of the forms a value may have, the issues of the one its author meant: right in the outer type, fewest mistakes inside. */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const outside = (issue: Issue) =>
    issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
  return branches
    .filter((issues) => issues.length > 0 && !issues.some(outside))
    .sort((a, b) => a.length - b.length)[0];
}

/** `expected a text`, `expected a list of two` -> `expected a text or a list of two`. */
function joinExpectations(issue: Issue & { code: "invalid_union" }): string {
  const messages = issue.errors.map((branch) => branch[0]?.message ?? "");
  if (
    issue.message !== "expected another form" ||
    !messages.every((message) => message.startsWith("expected "))
  )
    return issue.message;
  return `expected ${[...new Set(messages.map((message) => message.slice("expected ".length)))].join(" or ")}`;
}

const isWhole = (issue: Issue): boolean => issue.code === "custom" && issue.params?.whole === true;

/** With `greaterThen` unknown, "an operator is missing" about the same entry says the same thing once more. */
function withoutEchoes(issues: readonly Issue[]): readonly Issue[] {
  const misspelt = new Set(
    issues.filter((issue) => issue.code === "unrecognized_keys").map((issue) => JSON.stringify(issue.path)),
  );
  const echoes = (path: readonly PropertyKey[]) => misspelt.has(JSON.stringify(path));
  return issues.filter(
    (issue) => !isWhole(issue) || !(echoes(issue.path) || echoes(issue.path.slice(0, -1))),
  );
}

interface Subject {
  readonly file: YamlFile;
  readonly schema: unknown;
  /** What the schema was given. */
  readonly input: unknown;
  /** Path of the input within the file. */
  readonly base: readonly PropertyKey[];
}

/** What a missing key is for, or which key of the same object was probably meant to be it. */
function aboutMissing(inner: readonly PropertyKey[], message: string, subject: Subject): string {
  const { file, base, schema, input } = subject;
  const parent = inner.slice(0, -1);
  const key = String(inner.at(-1));
  const beside = file.at([...base, ...parent]);
  const valid = new Set(keysAt(schema, parent, input));
  const others =
    typeof beside === "object" && beside !== null
      ? Object.keys(beside).filter((name) => !valid.has(name))
      : [];
  const misspelt = nearestName(key, others);
  if (misspelt !== undefined) return ` (is "${misspelt}" meant to be "${key}"?)`;
  // "expected a text" says little; "expected the name of a stream" says it all.
  const description = /^expected an? \w+$/.test(message) ? descriptionAt(schema, inner, input) : undefined;
  return description === undefined ? "" : ` (${description.replace(/\.$/, "")})`;
}

function toProblems(issue: Issue, prefix: readonly PropertyKey[], subject: Subject): Problem[] {
  const { file, base } = subject;
  const inner = [...prefix, ...issue.path];
  const path = [...base, ...inner];
  if (file.isUnresolved(path)) return [];
  if (issue.code === "unrecognized_keys") {
    const valid = keysAt(subject.schema, inner, subject.input);
    return issue.keys.map((key) =>
      problemAt(
        file.keyPlace([...path, key]),
        "FLOW_UNKNOWN_KEY",
        `unknown key "${key}"${didYouMean(key, valid)}`,
      ),
    );
  }
  if (issue.code === "invalid_union") {
    const branch = meantBranch(issue.errors);
    if (branch !== undefined)
      return withoutEchoes(branch).flatMap((nested) => toProblems(nested, inner, subject));
  }
  if (isWhole(issue)) {
    const place = file.has(path) ? file.keyPlace(path) : { ...file.valuePlace(path.slice(0, -1)) };
    return [
      problemAt({ ...place, keyPath: file.keyPlace(path).keyPath }, "FLOW_INVALID_ENTRY", issue.message),
    ];
  }
  const message = issue.code === "invalid_union" ? joinExpectations(issue) : issue.message;
  if (!file.has(path) && path.length > 0) {
    const text = `missing: ${message}${aboutMissing(inner, message, subject)}`;
    return [problemAt(file.keyPlace(path), "FLOW_MISSING_KEY", text)];
  }
  const value = file.at(path);
  const near =
    issue.code === "invalid_value" && typeof value === "string"
      ? didYouMean(value, issue.values.map(String))
      : "";
  const hint = near.startsWith(" (did") ? near : "";
  const code = issue.code === "invalid_type" ? "FLOW_WRONG_TYPE" : "FLOW_INVALID_VALUE";
  const text = message.startsWith("expected ") ? `${message}, found ${found(value)}${hint}` : message;
  return [problemAt(file.valuePlace(path), code, text)];
}

/** Parses `input`, which stands at `base` of the file; undefined, and the problems added, when it does not fit. */
export function parseAt<T extends z.ZodType>(
  schema: T,
  input: unknown,
  file: YamlFile,
  base: readonly PropertyKey[],
  problems: Problem[],
): z.output<T> | undefined {
  const result = schema.safeParse(input, { error: describe });
  if (result.success) return result.data;
  const subject: Subject = { file, schema, input, base };
  problems.push(...withoutEchoes(result.error.issues).flatMap((issue) => toProblems(issue, [], subject)));
  return undefined;
}
