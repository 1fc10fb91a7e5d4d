/** Schema of the `validate:` list and of `errors:` of a flow file. */
import { z } from "zod";
import { text } from "../../contracts/index.js";
import { count, expecting, fieldName, scalar, WHOLE } from "./words.js";

export const REJECT_ACTIONS = ["deadLetter", "drop", "failRun"] as const;
export type RejectAction = (typeof REJECT_ACTIONS)[number];

export const RULES = ["notNull", "notZero", "notNegative", "numeric", "in", "matches", "maxLength"] as const;
export type RuleName = (typeof RULES)[number];

/** The key that a rule needs besides field and rule. */
const ARGUMENT = {
  in: { key: "values", example: "values: [Open, Closed]" },
  matches: { key: "pattern", example: "pattern: '^[A-Z]+$'" },
  maxLength: { key: "length", example: "length: 80" },
} as const;

export const validateRule = z
  .strictObject(
    {
      field: fieldName().describe("Mapped field."),
      rule: z
        .enum(RULES)
        .describe(
          "notNull; notZero and notNegative (numbers); numeric (a number, or text that is one); in (needs values); matches (needs pattern); maxLength (needs length). All but notNull let null pass.",
        ),
      values: z
        .array(scalar(), expecting("a list of values"))
        .min(1, "expected at least one value")
        .optional()
        .describe("For rule in: the allowed values."),
      pattern: text(z.string("expected a regular expression"))
        .optional()
        .describe(
          "For rule matches: a JavaScript regular expression (Unicode mode), found anywhere unless anchored with ^ and $.",
        ),
      length: count("expected a number of characters", 0, 10_000_000)
        .optional()
        .describe("For rule maxLength: the most characters (Unicode code points)."),
      onFail: z
        .enum(REJECT_ACTIONS)
        .optional()
        .describe("What becomes of the record; default errors.onReject."),
    },
    expecting("a rule such as { field: amount, rule: notNegative }"),
  )
  .superRefine((entry, context) => {
    const fail = (key: string, message: string): void => {
      context.issues.push({ code: "custom", message, path: [key], input: entry, ...WHOLE });
    };
    const needed = Object.entries(ARGUMENT).find(([rule]) => rule === entry.rule)?.[1];
    for (const { key } of Object.values(ARGUMENT))
      if (key !== needed?.key && entry[key] !== undefined) {
        fail(key, `expected no "${key}" for rule ${entry.rule}`);
        return;
      }
    if (needed !== undefined && entry[needed.key] === undefined) {
      fail("rule", `expected "${needed.key}" beside rule ${entry.rule}, such as ${needed.example}`);
      return;
    }
    if (entry.pattern !== undefined) {
      try {
        new RegExp(entry.pattern, "u");
      } catch (error) {
        fail(
          "pattern",
          `expected a regular expression: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  })
  .describe("One rule on one mapped field.");

export type ValidateRule = z.output<typeof validateRule>;

const MAX_REJECTED = "expected a count such as 100 or a share such as 1%";

/** `100` or `1%`. */
const maxRejected = z
  .unknown()
  .transform((value, context): { readonly share: number } | { readonly count: number } => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return { count: value };
    const percent = typeof value === "string" ? /^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(value) : null;
    const share = percent === null ? Number.NaN : Number(percent[1]) / 100;
    if (share <= 1) return { share };
    context.issues.push({ code: "custom", message: MAX_REJECTED, input: value });
    return z.NEVER;
  })
  .meta({ type: ["integer", "string"], pattern: "^\\d{1,3}(\\.\\d+)? ?%$", minimum: 0 });

export const errorsSection = z
  .strictObject(
    {
      maxRejected: maxRejected
        .prefault("100%")
        .describe(
          "How many records may be rejected (a count, or a share of those fetched) before the run fails with exit code 4; 0: any rejection does. Everything else is loaded either way. Default: as many as there are.",
        ),
      onReject: z
        .enum(REJECT_ACTIONS)
        .default("deadLetter")
        .describe(
          "deadLetter keeps the record with its reason; drop counts and forgets it; failRun stops the run at once.",
        ),
    },
    expecting("settings such as { maxRejected: 1%, onReject: deadLetter }"),
  )
  .describe("What becomes of records that cannot be mapped or fail a rule.");
