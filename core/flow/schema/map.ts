/** Schema of the `map:` list of a flow file. */
import { z } from "zod";
import { FIELD_TYPES, secret } from "../../contracts/index.js";
import { count, expecting, fieldName, scalar, WHOLE } from "./words.js";

const ENTRY = '"*" or an entry such as { from: Id, to: opportunity_id }';
const LONGEST = 1_000_000;

const maskCount = z
  .strictObject(
    {
      first: count("expected a number of characters", 0, LONGEST)
        .optional()
        .describe("Mask this many characters at the beginning."),
      last: count("expected a number of characters", 0, LONGEST)
        .optional()
        .describe("Mask this many characters at the end."),
    },
    expecting("all, { first: 4 } or { last: 4 }"),
  )
  .superRefine((mask, context) => {
    if ((mask.first === undefined) !== (mask.last === undefined)) return;
    context.issues.push({
      code: "custom",
      message: "expected either first or last",
      path: [],
      input: mask,
      ...WHOLE,
    });
  });

const fromField = fieldName();

export const ARITHMETIC = ["add", "subtract", "multiply", "divide"] as const;

export const mapTask = z
  .strictObject(
    {
      from: z
        .union([
          fromField,
          z
            .array(fieldName(), expecting("a field or a list of fields"))
            .min(2, 'expected at least two fields: for one field write "from: Name"'),
        ])
        .optional()
        .describe("Source field or path; a list of fields for join and arithmetic."),
      to: fieldName().optional().describe("Name in the sink. Left out: the name of the one source field."),
      join: z
        .string("expected the text to put between the values")
        .optional()
        .describe(
          "Merge: the texts of all fields with this between them; null and missing ones are left out.",
        ),
      arithmetic: z
        .enum(ARITHMETIC)
        .optional()
        .describe(
          "Exact decimal arithmetic over two or more fields, from left to right; null where one of them is null.",
        ),
      mask: z
        .union([z.literal("all"), maskCount], "expected all, { first: 4 } or { last: 4 }")
        .optional()
        .describe("Replace characters of the text by *: all, { first: n } or { last: n }."),
      hash: z
        .strictObject(
          { secret: secret().describe(`Key of the hash, best as "\${env:NAME}".`) },
          expecting(`a hash such as { secret: "\${env:PEPPER}" }`),
        )
        .optional()
        .describe("HMAC-SHA256 of the text under a secret, as 64 hexadecimal digits."),
      truncate: count("expected a number of characters of at least 1", 1, LONGEST)
        .optional()
        .describe("Keep this many characters (Unicode code points) of the text."),
      type: z
        .enum(FIELD_TYPES)
        .optional()
        .describe("Convert to this type; a value that cannot be converted is rejected."),
      value: scalar("expected a text, a number, true or false")
        .optional()
        .describe("A constant in place of a source field."),
      drop: z
        .union([
          fieldName(),
          z
            .array(fieldName(), expecting("a field or a list of fields"))
            .min(1, "expected at least one field"),
        ])
        .optional()
        .describe('Leave these mapped fields out again; for use after "*".'),
    },
    expecting(ENTRY),
  )
  .superRefine((task, context) => {
    const fail = (key: string, message: string): void => {
      context.issues.push({ code: "custom", message, path: [key], input: task, ...WHOLE });
    };
    const given = (Object.keys(task) as (keyof typeof task)[]).filter((key) => task[key] !== undefined);
    if (task.drop !== undefined) {
      const extra = given.find((key) => key !== "drop");
      if (extra !== undefined)
        fail(extra, `expected "drop" alone in its entry: write "${extra}" in an entry of its own`);
      return;
    }
    if (task.value !== undefined) {
      const extra = given.find((key) => key !== "value" && key !== "to" && key !== "type");
      if (extra !== undefined)
        fail(extra, `expected only "to" and "type" beside "value": a constant takes no "${extra}"`);
      else if (task.to === undefined) fail("to", 'expected "to": the name of the constant in the sink');
      return;
    }
    if (task.from === undefined)
      return fail(
        "from",
        `expected one of "from", "value" and "drop": every entry says where its value comes from`,
      );
    const many = Array.isArray(task.from);
    if (many && task.join === undefined && task.arithmetic === undefined)
      return fail("from", 'expected "join" or "arithmetic" beside a list of fields');
    if (!many && task.join !== undefined)
      return fail("join", 'expected a list of fields in "from" for "join"');
    if (!many && task.arithmetic !== undefined)
      return fail("arithmetic", 'expected a list of at least two fields in "from" for "arithmetic"');
    if (task.join !== undefined && task.arithmetic !== undefined)
      return fail("arithmetic", 'expected either "join" or "arithmetic", not both');
    if (task.mask !== undefined && task.hash !== undefined)
      return fail("hash", 'expected either "mask" or "hash", not both');
    const hidden = task.mask !== undefined ? "mask" : task.hash !== undefined ? "hash" : undefined;
    if (hidden !== undefined && task.type !== undefined && task.type !== "string")
      return fail("type", `expected no other type than string beside "${hidden}", which gives a text`);
    if (task.to === undefined && (many || String(task.from).includes(".")))
      fail("to", `expected "to": ${many ? "a list of fields" : "a path"} needs a name in the sink`);
  })
  .describe("One mapped field, or { drop: ... }.");

export type MapTask = z.output<typeof mapTask>;

export const mapEntry = z
  .union([z.literal("*"), mapTask], `expected ${ENTRY}`)
  .describe(
    '"*" (every source field under its own name; first in the list, later entries override) or one mapped field.',
  );
