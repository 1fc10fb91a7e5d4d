/** Schema pieces that more than one part of the flow file uses. */
import { z } from "zod";
import { ExactNumber, Secret, text } from "../../contracts/index.js";

/** Parameters of a schema: says what was expected when the type is wrong, and leaves other mistakes to the lint's own words. */
export function expecting(what: string) {
  return {
    error: (issue: { readonly code?: string | undefined }): string | undefined =>
      issue.code === "invalid_type" ? `expected ${what}` : undefined,
  };
}

export const nameMessage = (longest: number): string =>
  `expected a name of at most ${longest} lower-case letters, digits, "-" and "_", beginning with a letter or digit, never "--"`;

/** Names of flows (40 characters) and connections (30): they become parts of queue names (joined by `--`), keys and file names. */
export function namePattern(longest: number): RegExp {
  return new RegExp(`^(?!.*--)[a-z0-9][a-z0-9_-]{0,${longest - 1}}$`);
}

export const connectionName = (description: string) =>
  text(z.string().regex(namePattern(30), nameMessage(30))).describe(description);

export const flowName = () => text(z.string().regex(namePattern(40), nameMessage(40)));

const FIELD_NAME = "expected the name of a field: 1 to 255 characters, no control characters";

/** A name of a field: any text that is not empty, at most 255 characters, without control characters. */
export const fieldName = () =>
  text(
    z
      .string("expected the name of a field")
      .min(1, FIELD_NAME)
      .max(255, FIELD_NAME)
      .refine((name) => !/\p{Cc}/u.test(name), FIELD_NAME),
  );

export type Scalar = string | number | boolean | ExactNumber;

const isScalar = (value: unknown): value is Scalar =>
  typeof value === "string" ||
  typeof value === "boolean" ||
  (typeof value === "number" && Number.isFinite(value)) ||
  value instanceof ExactNumber;

/** A text, a number (its digits are kept whatever their count) or true/false. */
export function scalar(message = "expected a text, a number, true or false") {
  return z
    .unknown()
    .transform((value, context): Scalar => {
      const opened = value instanceof Secret ? value.open() : value;
      if (isScalar(opened)) return opened;
      context.issues.push({ code: "custom", message, input: value });
      return z.NEVER;
    })
    .meta({ type: ["string", "number", "boolean"] });
}

/** A count such as `255`. */
export function count(message: string, min: number, max: number) {
  return z.int(message).min(min, message).max(max, message);
}

/** Marks an issue whose message stands as it is: about the whole entry, not about the value at its path. */
export const WHOLE = { params: { whole: true } } as const;
