import { pointed, type SoqlError } from "./error.js";
import type { Comparison, Expression, Literal, Operator, OrderTerm, Path, Query } from "./syntax.js";
import { type Token, tokenize } from "./tokens.js";

const RELATIVE =
  /^(TODAY|YESTERDAY|TOMORROW|THIS_WEEK|LAST_WEEK|THIS_MONTH|LAST_MONTH|THIS_YEAR|LAST_YEAR|(?:LAST|NEXT)_N_DAYS):?(\d+)?$/i;

/**
 * SOQL text to a query. The grammar is that of single-object reads: no sub-queries, no GROUP BY, no TYPEOF.
 * As in the service, AND, OR and NOT do not mix on one level without parentheses.
 */
export function parseSoql(text: string): Query {
  return new Parser(text).query();
}

class Parser {
  private readonly text: string;
  private readonly tokens: Token[];
  private position = 0;

  constructor(text: string) {
    this.text = text;
    this.tokens = tokenize(text);
  }

  query(): Query {
    this.keyword("SELECT");
    const select = this.selectList();
    this.keyword("FROM");
    const object = this.word();
    const where = this.accept("WHERE") ? this.expression() : undefined;
    const orderBy: OrderTerm[] = [];
    if (this.accept("ORDER")) {
      this.keyword("BY");
      do orderBy.push(this.orderTerm());
      while (this.acceptSymbol(","));
    }
    const limit = this.accept("LIMIT") ? this.wholeNumber() : undefined;
    const offset = this.accept("OFFSET") ? this.wholeNumber() : 0;
    if (this.peek().kind !== "end") throw this.unexpected();
    return {
      text: this.text,
      select,
      object: { name: object.text, at: object.at },
      where,
      orderBy,
      limit,
      offset,
    };
  }

  private selectList(): Path[] | "count" {
    const first = this.peek();
    if (first.kind === "word" && /^count$/i.test(first.text) && this.peek(1).text === "(") {
      this.position += 2;
      this.symbol(")");
      return "count";
    }
    const paths: Path[] = [];
    do paths.push(this.path());
    while (this.acceptSymbol(","));
    return paths;
  }

  private orderTerm(): OrderTerm {
    const path = this.path();
    const descending = this.accept("DESC");
    if (!descending) this.accept("ASC");
    let nullsLast = false;
    if (this.accept("NULLS")) {
      nullsLast = this.accept("LAST");
      if (!nullsLast) this.keyword("FIRST");
    }
    return { path, descending, nullsLast };
  }

  private expression(): Expression {
    if (this.accept("NOT")) return { kind: "not", part: this.operand() };
    const first = this.operand();
    const joint = this.accept("AND") ? "AND" : this.accept("OR") ? "OR" : undefined;
    if (joint === undefined) return first;
    const parts = [first, this.operand()];
    while (this.accept(joint)) parts.push(this.operand());
    const after = this.peek();
    if (after.kind === "word" && /^(and|or)$/i.test(after.text)) throw this.unexpected();
    return { kind: joint === "AND" ? "and" : "or", parts };
  }

  /** A comparison or a parenthesis. `NOT` must stand at the start of a WHERE or of a parenthesis. */
  private operand(): Expression {
    if (this.acceptSymbol("(")) {
      const inner = this.expression();
      this.symbol(")");
      return inner;
    }
    const token = this.peek();
    if (token.kind === "word" && /^not$/i.test(token.text)) throw this.unexpected();
    return this.comparison();
  }

  private comparison(): Comparison {
    const path = this.path();
    const operator = this.operator();
    const list = ["IN", "NOT IN", "INCLUDES", "EXCLUDES"].includes(operator);
    const values = list ? this.literalList() : [this.literal()];
    return { kind: "comparison", path, operator, values };
  }

  private operator(): Operator {
    const token = this.next();
    if (token.kind === "symbol") {
      if (token.text === "<>") return "!=";
      const symbols: readonly Operator[] = ["=", "!=", "<", "<=", ">", ">="];
      const symbol = symbols.find((candidate) => candidate === token.text);
      if (symbol !== undefined) return symbol;
    }
    if (token.kind === "word") {
      const name = token.text.toUpperCase();
      if (name === "NOT") {
        this.keyword("IN");
        return "NOT IN";
      }
      if (name === "LIKE" || name === "IN" || name === "INCLUDES" || name === "EXCLUDES") return name;
    }
    this.position -= 1;
    throw this.unexpected();
  }

  private literalList(): Literal[] {
    this.symbol("(");
    const values: Literal[] = [];
    do values.push(this.literal());
    while (this.acceptSymbol(","));
    this.symbol(")");
    return values;
  }

  private literal(): Literal {
    const token = this.next();
    if (token.kind === "string") return token;
    if (token.kind === "word") {
      if (/^(true|false)$/i.test(token.text)) {
        return { kind: "boolean", value: /^true$/i.test(token.text), at: token.at };
      }
      if (/^null$/i.test(token.text)) return { kind: "null", at: token.at };
      const relative = RELATIVE.exec(token.text);
      const name = relative?.[1];
      if (name !== undefined) {
        const n = relative?.[2];
        return {
          kind: "relative",
          name: name.toUpperCase(),
          n: n === undefined ? undefined : Number(n),
          at: token.at,
        };
      }
    } else if (token.kind !== "symbol" && token.kind !== "end") {
      return { kind: token.kind, text: token.text, at: token.at };
    }
    this.position -= 1;
    throw this.unexpected();
  }

  private path(): Path {
    const token = this.word();
    return { names: token.text.split("."), at: token.at };
  }

  private wholeNumber(): number {
    const token = this.next();
    if (token.kind === "number" && /^\d+$/.test(token.text)) return Number(token.text);
    this.position -= 1;
    throw this.unexpected();
  }

  private word(): Token {
    const token = this.next();
    if (token.kind === "word" && !token.text.includes(":") && !RESERVED.has(token.text.toUpperCase())) {
      return token;
    }
    this.position -= 1;
    throw this.unexpected();
  }

  private keyword(name: string): void {
    if (!this.accept(name)) throw this.unexpected();
  }

  private accept(name: string): boolean {
    const token = this.peek();
    const is = token.kind === "word" && token.text.toUpperCase() === name;
    if (is) this.position += 1;
    return is;
  }

  private symbol(text: string): void {
    if (!this.acceptSymbol(text)) throw this.unexpected();
  }

  private acceptSymbol(text: string): boolean {
    const token = this.peek();
    const is = token.kind === "symbol" && token.text === text;
    if (is) this.position += 1;
    return is;
  }

  private peek(ahead = 0): Token {
    const token = this.tokens[Math.min(this.position + ahead, this.tokens.length - 1)];
    if (token === undefined) throw new Error("a token list always has its end");
    return token;
  }

  private next(): Token {
    const token = this.peek();
    this.position += 1;
    return token;
  }

  private unexpected(): SoqlError {
    const token = this.peek();
    const text =
      token.kind === "end" ? "<EOF>" : this.text.slice(token.at).split(/[\s,()]/, 1)[0] || token.text;
    return pointed("MALFORMED_QUERY", this.text, token.at, `unexpected token: '${text}'`);
  }
}

const RESERVED = new Set(
  "AND AS ASC BY DESC EXCLUDES FIRST FROM GROUP HAVING IN INCLUDES LAST LIKE LIMIT NOT NULL NULLS OR SELECT USING WHERE WITH".split(
    " ",
  ),
);
