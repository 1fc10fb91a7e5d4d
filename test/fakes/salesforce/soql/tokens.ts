import { pointed, type SoqlError } from "./error.js";

export type Token =
  | {
      readonly kind: "word" | "number" | "date" | "datetime" | "time" | "symbol";
      readonly text: string;
      readonly at: number;
    }
  | { readonly kind: "string"; readonly text: string; readonly pattern: string; readonly at: number }
  | { readonly kind: "end"; readonly text: "<EOF>"; readonly at: number };

const SPACE = /\s+/y;
const WORD = /[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*(?::\d+)?/y;
const DATETIME = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})/y;
const UNZONED = /\d{4}-\d{2}-\d{2}T[\d:.]*/y;
const DATE = /\d{4}-\d{2}-\d{2}(?![\dT])/y;
const TIME = /\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/y;
const NUMBER = /[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y;
const SYMBOL = /!=|<>|<=|>=|[=<>(),]/y;
const ESCAPES: Readonly<Record<string, string>> = {
  "'": "'",
  '"': '"',
  "\\": "\\",
  n: "\n",
  N: "\n",
  r: "\r",
  R: "\r",
  t: "\t",
  T: "\t",
  b: "\b",
  B: "\b",
  f: "\f",
  F: "\f",
};

/** The tokens of a query, "end" last. */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(query)?.[0];
  };
  while (at < query.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    if (query[at] === "'") {
      const token = stringToken(query, at);
      tokens.push(token.token);
      at = token.end;
      continue;
    }
    const kinds = [
      ["datetime", DATETIME],
      ["date", DATE],
      ["time", TIME],
      ["number", NUMBER],
      ["word", WORD],
      ["symbol", SYMBOL],
    ] as const;
    let found = false;
    // A moment without its zone: what `+02:00` leaves behind when its plus was not sent as %2B.
    const unzoned = match(UNZONED);
    if (unzoned !== undefined && match(DATETIME) === undefined) at += unzoned.length;
    else
      for (const [kind, pattern] of kinds) {
        const text = match(pattern);
        if (text === undefined) continue;
        tokens.push({ kind, text, at });
        at += text.length;
        found = true;
        break;
      }
    if (!found) {
      const column = at - query.lastIndexOf("\n", at - 1) - 1;
      const row = query.slice(0, at).split("\n").length;
      throw pointed(
        "MALFORMED_QUERY",
        query,
        at,
        `line ${row}:${column} no viable alternative at character '${query[at]}'`,
      );
    }
  }
  tokens.push({ kind: "end", text: "<EOF>", at: query.length });
  return tokens;
}

/** A quoted string. A backslash before anything but the documented letters is an error, never a literal backslash. */
function stringToken(query: string, start: number): { token: Token; end: number } {
  let text = "";
  let pattern = "";
  let at = start + 1;
  for (;;) {
    const char = query[at];
    if (char === undefined) {
      throw pointed("MALFORMED_QUERY", query, start, "unterminated string literal: expecting a '''");
    }
    if (char === "'") return { token: { kind: "string", text, pattern, at: start }, end: at + 1 };
    if (char !== "\\") {
      text += char;
      pattern += char;
      at += 1;
      continue;
    }
    const next = query[at + 1] ?? "";
    if (next === "%" || next === "_") {
      text += next;
      pattern += `\\${next}`;
      at += 2;
    } else if (next === "u" || next === "U") {
      const hex = query.slice(at + 2, at + 6);
      if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw badEscape(query, at, `\\u${hex}`);
      const unit = String.fromCharCode(Number.parseInt(hex, 16));
      text += unit;
      pattern += unit;
      at += 6;
    } else {
      const meaning = ESCAPES[next];
      if (meaning === undefined) throw badEscape(query, at, `\\${next}`);
      text += meaning;
      pattern += meaning === "\\" ? "\\\\" : meaning;
      at += 2;
    }
  }
}

function badEscape(query: string, at: number, sequence: string): SoqlError {
  return pointed("MALFORMED_QUERY", query, at, `Illegal character sequence '${sequence}' in string literal`);
}
