/** Schema of the `filter:` list of a flow file. */
import { z } from "zod";
import { FILTER_OPERATORS } from "../../contracts/index.js";
import { expecting, fieldName, scalar, WHOLE } from "./words.js";

const literal = () => scalar("expected a text, a number, true or false (for null write isNull: true)");

const CONDITION = "a condition such as { field: Amount, greaterThan: 1000 }";

const ordered = (what: string) =>
  scalar("expected a text or a number").optional().describe(`The field is ${what} this value.`);

const textPart = (what: string) =>
  scalar("expected a text")
    .optional()
    .describe(`The field's text ${what} this text (upper and lower case differ).`);

const list = (description: string) =>
  z
    .array(scalar(), expecting("a list of values"))
    .min(1, "expected at least one value")
    .optional()
    .describe(description);

const flag = (description: string) => z.boolean("expected true or false").optional().describe(description);

/** One entry of a filter list: a condition, or a group of entries. */
export const filterEntry = z
  .strictObject(
    {
      field: fieldName().optional().describe("Source field, or a path such as Owner.Name."),
      equals: literal().optional().describe("The field is this value."),
      notEquals: literal().optional().describe("The field is another value, null or missing."),
      greaterThan: ordered("greater than"),
      greaterThanOrEquals: ordered("greater than or equal to"),
      lessThan: ordered("less than"),
      lessThanOrEquals: ordered("less than or equal to"),
      between: z
        .array(scalar("expected a text or a number"), expecting("a list of two values: [lowest, highest]"))
        .length(2, "expected a list of two values: [lowest, highest]")
        .optional()
        .describe("The field lies between the two values; both are included."),
      in: list("The field is one of these values."),
      notIn: list("The field is none of these values, null or missing."),
      contains: textPart("contains"),
      notContains: textPart("does not contain"),
      startsWith: textPart("starts with"),
      endsWith: textPart("ends with"),
      isNull: flag("The field is null or missing (false: it is neither)."),
      isNotNull: flag("The field is neither null nor missing (false: it is one of them)."),
      get all() {
        return filterGroup("All of these hold.");
      },
      get any() {
        return filterGroup("At least one of these holds.");
      },
      get not(): z.ZodOptional<typeof filterEntry> {
        return filterEntry.optional().describe("This does not hold.");
      },
    },
    expecting(CONDITION),
  )
  .superRefine((entry, context) => {
    const fail = (key: string, message: string): void => {
      context.issues.push({ code: "custom", message, path: [key], input: entry, ...WHOLE });
    };
    const operators = FILTER_OPERATORS.filter((operator) => entry[operator] !== undefined);
    const groups = (["all", "any", "not"] as const).filter((group) => entry[group] !== undefined);
    const [group, secondGroup] = groups;
    if (group !== undefined) {
      const extra = secondGroup ?? (entry.field === undefined ? operators[0] : "field");
      if (extra !== undefined)
        fail(extra, `expected "${group}" alone in its entry: write "${extra}" as an entry of its own`);
      return;
    }
    const [operator, second] = operators;
    if (entry.field === undefined) fail(operator ?? "field", `expected ${CONDITION}: "field" is missing`);
    else if (operator === undefined)
      fail("field", `expected one operator beside "field" (${FILTER_OPERATORS.join(", ")})`);
    else if (second !== undefined)
      fail(
        second,
        `expected one operator in a condition: "${operator}" is already there, write "${second}" as an entry of its own`,
      );
  })
  .meta({
    id: "condition",
    description: "A condition on one source field, or a group: { any: [...] }, { all: [...] }, { not: ... }.",
  });

export type FilterEntry = z.output<typeof filterEntry>;

function filterGroup(description: string): z.ZodOptional<z.ZodArray<typeof filterEntry>> {
  return z
    .array(filterEntry, expecting("a list of conditions"))
    .min(1, "expected at least one condition")
    .optional()
    .describe(description);
}
