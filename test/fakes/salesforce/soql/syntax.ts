/** A parsed SOQL query. `at` is an offset into the text, for error messages. */
export interface Query {
  readonly text: string;
  /** Paths as written (`Id`, `Owner.Name`); "count" for `SELECT COUNT()`. */
  readonly select: readonly Path[] | "count";
  readonly object: { readonly name: string; readonly at: number };
  readonly where: Expression | undefined;
  readonly orderBy: readonly OrderTerm[];
  readonly limit: number | undefined;
  readonly offset: number;
}

export interface Path {
  readonly names: readonly string[];
  readonly at: number;
}

export interface OrderTerm {
  readonly path: Path;
  readonly descending: boolean;
  /** Null values come first unless the query says otherwise, whatever the direction. */
  readonly nullsLast: boolean;
}

export type Expression =
  | { readonly kind: "and" | "or"; readonly parts: readonly Expression[] }
  | { readonly kind: "not"; readonly part: Expression }
  | Comparison;

export interface Comparison {
  readonly kind: "comparison";
  readonly path: Path;
  readonly operator: Operator;
  /** One literal, or the list of IN, NOT IN, INCLUDES, EXCLUDES. */
  readonly values: readonly Literal[];
}

export type Operator =
  | "="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "LIKE"
  | "IN"
  | "NOT IN"
  | "INCLUDES"
  | "EXCLUDES";

/** `text` of a string is unescaped, except in `pattern`, which LIKE needs: there `\%` and `\_` are still escaped. */
export type Literal =
  | { readonly kind: "string"; readonly text: string; readonly pattern: string; readonly at: number }
  | { readonly kind: "number" | "date" | "datetime" | "time"; readonly text: string; readonly at: number }
  | { readonly kind: "boolean"; readonly value: boolean; readonly at: number }
  | { readonly kind: "null"; readonly at: number }
  /** `TODAY`, `LAST_N_DAYS:30`. */
  | { readonly kind: "relative"; readonly name: string; readonly n: number | undefined; readonly at: number };
