import { isAscii, isUtf8, transcode } from "node:buffer";
import { parse as parseLossless } from "lossless-json";
import { ExactNumber } from "../contracts/index.js";

/** Digits of a number that a double may not hold: below this many every decimal survives the way there and back. */
const LONG = 16;

/** 1 for the bytes a JSON number is made of. */
const NUMERIC = new Uint8Array(256);
for (const character of "0123456789.eE+-") NUMERIC[character.charCodeAt(0)] = 1;

/** The bytes are not UTF-8, so they are not JSON. */
export class InvalidUtf8 extends Error {}

/**
 * Text of a body. Throws InvalidUtf8 instead of replacing what cannot be read. A byte order mark is dropped.
 *
 * By detours: of a 2 MB page `toString("utf8")` takes 3 ms, as much as parsing it; latin1 takes a tenth of that and is the
 * same for ASCII, and by way of UTF-16 it is half.
 */
export function decodeUtf8(body: Buffer): string {
  if (isAscii(body)) return body.toString("latin1");
  if (!isUtf8(body)) throw new InvalidUtf8("the body is not valid UTF-8");
  const hasMark = body.length >= 3 && body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return transcode(hasMark ? body.subarray(3) : body, "utf8", "utf16le").toString("utf16le");
}

/**
 * Parses JSON without losing digits: a number that a double cannot hold becomes an ExactNumber, everything else is
 * what JSON.parse gives (the last of duplicate keys wins, lone surrogates stay; refusedRecords finds the records whose
 * keys are in doubt). Throws SyntaxError or InvalidUtf8.
 *
 * Nearly every page holds no such number, and then this is JSON.parse plus a look at one byte in sixteen.
 */
export function parseJson(body: Buffer): unknown {
  const text = decodeUtf8(body);
  return holdsInexactNumber(body) ? parseExactly(text) : JSON.parse(text);
}

/**
 * Whether the body may hold a number that a double cannot. A run of sixteen numeric bytes covers one of the bytes
 * looked at, so nothing is missed; digits inside a string may be taken for a number, which only costs time.
 */
export function holdsInexactNumber(body: Buffer): boolean {
  const length = body.length;
  for (let sample = LONG - 1; sample < length; sample += LONG) {
    if (NUMERIC[body[sample]!] === 0) continue;
    let start = sample;
    while (start > 0 && NUMERIC[body[start - 1]!] === 1) start--;
    let end = sample + 1;
    while (end < length && NUMERIC[body[end]!] === 1) end++;
    if (end - start < LONG) continue;
    if (
      opensNumber(body[start - 1]) &&
      closesNumber(body[end]) &&
      !isExact(body.toString("latin1", start, end))
    ) {
      return true;
    }
    // Not again for the later samples of the same run: a string of a million digits would cost its square.
    sample = end - (end % LONG) - 1;
  }
  return false;
}

function opensNumber(byte: number | undefined): boolean {
  return byte === undefined || byte === 0x3a || byte === 0x2c || byte === 0x5b || isSpace(byte);
}

function closesNumber(byte: number | undefined): boolean {
  return byte === undefined || byte === 0x2c || byte === 0x7d || byte === 0x5d || isSpace(byte);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Whether a double gives back the very value that the digits say: `0.10` and `33.333333333333336` do. */
export function isExact(digits: string): boolean {
  const value = Number(digits);
  return Number.isFinite(value) && canonical(digits) === canonical(String(value));
}

/** Significant digits and exponent, so that `1.50`, `15e-1` and `1.5` are the same text. */
function canonical(number: string): string {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = mantissa.replace(/^[+-]/, "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const scale = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${negative ? "-" : ""}${significant}e${scale}`;
}

/**
 * JSON.parse cannot show a number's digits to a reviver before Node 21, and a parser in JavaScript is twenty times
 * slower. So the long numbers become strings behind a mark that occurs nowhere in the text, and a reviver opens them.
 */
export function parseExactly(text: string): unknown {
  const mark = unusedMark(text);
  if (mark === undefined) {
    return parseLossless(text, null, {
      parseNumber: (digits) => (isExact(digits) ? Number(digits) : new ExactNumber(digits)),
      onDuplicateKey: ({ newValue }) => newValue,
    });
  }
  return JSON.parse(markInexact(text, mark), (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(mark) ? new ExactNumber(value.slice(mark.length)) : value,
  );
}

/** A private-use character that the text holds neither plainly nor as an escape. */
function unusedMark(text: string): string | undefined {
  for (let code = 0xe000; code < 0xe100; code++) {
    const mark = String.fromCharCode(code);
    const escaped = new RegExp(`\\\\u${code.toString(16)}`, "i");
    if (!text.includes(mark) && !escaped.test(text)) return mark;
  }
  return undefined;
}

/** Puts every number that a double cannot hold into quotes, behind the mark. Strings are stepped over. */
function markInexact(text: string, mark: string): string {
  let marked = "";
  let copied = 0;
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    if (end - at >= LONG) {
      for (const match of text.slice(at, end).matchAll(/-?\d[\d.eE+-]{14,}/g)) {
        if (isExact(match[0])) continue;
        const start = at + match.index;
        marked += `${text.slice(copied, start)}"${mark}${match[0]}"`;
        copied = start + match[0].length;
      }
    }
    at = quote < 0 ? end : stringEnd(text, quote);
  }
  return marked + text.slice(copied);
}

/** Position behind the closing quote of the string that opens at `open`. */
export function stringEnd(text: string, open: number): number {
  for (let from = open + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let before = quote - 1;
    while (text.charCodeAt(before) === 0x5c) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
    from = quote + 1;
  }
}
