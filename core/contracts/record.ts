/**
 * A number that a JavaScript double cannot hold exactly (an integer above 2^53, a decimal of more than 15
 * significant digits). Keeps the digits as the source wrote them; arithmetic on it is a choice of the caller.
 */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
  /** The nearest double; loses digits. */
  toNumber(): number {
    return Number(this.text);
  }
}

/** Any value a record may hold. `undefined` never occurs: a missing field is an absent key. */
export type Value = string | number | boolean | null | ExactNumber | Value[] | { [name: string]: Value };

/** One row of a stream, by field name. As parsed from the source; never mutated after the source yields it. */
export type SourceRecord = Record<string, Value>;

/** The types a flow knows. Timestamps are UTC text `2026-10-01T12:00:00.000Z`, dates `2026-10-01`. */
export const FIELD_TYPES = [
  "string",
  "integer",
  "decimal",
  "double",
  "boolean",
  "date",
  "timestamp",
  "json",
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

/** One column. Every field may be null unless it is part of a key. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** decimal: digits in all (default 38 where unknown); */
  readonly precision?: number;
  /** decimal: digits after the point (default 9 where unknown). */
  readonly scale?: number;
  /** string: longest value in characters, where the source promises one. */
  readonly length?: number;
  readonly description?: string;
}

/** The columns of a stream or of a sink's table, in order. */
export interface Schema {
  readonly fields: readonly Field[];
}
