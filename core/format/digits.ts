import type { Schema } from "../contracts/index.js";
import { EXACT_JSON_MARK } from "./sql.js";
import { hasLongNumber, TokenScanner } from "./token.js";

const NEWLINE = 10;
const QUOTE = 34;
const QUOTE_BYTE = Buffer.from('"');
const MARK_BYTES = Buffer.from(EXACT_JSON_MARK);

/**
 * Keeps digits that DuckDB would lose. It reads every JSON number with a point through a double: numbers of up to 15
 * digits survive that, longer ones do not. So in decimal fields they are put in quotes (and cast from text), and json
 * values that hold one are wrapped as a marked string (and unwrapped by `selectList`). All other bytes stay as they are.
 */
export class DigitGuard {
  /** Some json value was wrapped so far. */
  wrapped = false;
  readonly #fields: Schema["fields"];
  readonly #scanner: TokenScanner;
  readonly #holdsJson: boolean;

  constructor(schema: Schema) {
    this.#fields = schema.fields.filter(({ type }) => type === "decimal" || type === "json");
    this.#scanner = new TokenScanner(this.#fields.map(({ name }) => name));
    this.#holdsJson = this.#fields.some(({ type }) => type === "json");
  }

  /** The chunk itself in nearly all cases. */
  protect(chunk: Buffer): Buffer {
    if (this.#fields.length === 0) return chunk;
    if (!hasLongNumber(chunk) && !(this.#holdsJson && chunk.includes(MARK_BYTES))) return chunk;
    const pieces: Buffer[] = [];
    let copied = 0;
    for (let from = 0; from < chunk.length; ) {
      const newline = chunk.indexOf(NEWLINE, from);
      const end = newline < 0 ? chunk.length : newline;
      if (hasLongNumber(chunk, from, end) || this.#holdsMark(chunk, from, end)) {
        copied = this.#protectLine(chunk, from, end, copied, pieces);
      }
      from = end + 1;
    }
    if (pieces.length === 0) return chunk;
    pieces.push(chunk.subarray(copied));
    return Buffer.concat(pieces);
  }

  /** A real value that looks wrapped must be wrapped too, or it would be unwrapped. */
  #holdsMark(chunk: Buffer, from: number, end: number): boolean {
    return this.#holdsJson && chunk.subarray(from, end).includes(MARK_BYTES);
  }

  /** Adds what stands before and the replaced values of one line to `pieces`; returns up to where the chunk is copied. */
  #protectLine(chunk: Buffer, from: number, end: number, copied: number, pieces: Buffer[]): number {
    this.#scanner.scan(chunk, from, end);
    const { starts, ends } = this.#scanner;
    const found: Risky[] = [];
    for (let index = 0; index < this.#fields.length; index++) {
      const start = starts[index] ?? -1;
      const stop = ends[index] ?? -1;
      if (start < 0) continue;
      const isJson = this.#fields[index]?.type === "json";
      if (hasLongNumber(chunk, start, stop) || (isJson && this.#holdsMark(chunk, start, stop))) {
        if (isJson || chunk[start] !== QUOTE) found.push({ start, end: stop, isJson });
      }
    }
    let done = copied;
    for (const { start, end: stop, isJson } of found.sort((a, b) => a.start - b.start)) {
      const value = chunk.subarray(start, stop);
      pieces.push(chunk.subarray(done, start));
      if (isJson) {
        pieces.push(Buffer.from(JSON.stringify(EXACT_JSON_MARK + value.toString("utf8"))));
        this.wrapped = true;
      } else pieces.push(QUOTE_BYTE, value, QUOTE_BYTE);
      done = stop;
    }
    return done;
  }
}

/** A value whose digits DuckDB would lose, by its place in a chunk. */
interface Risky {
  readonly start: number;
  readonly end: number;
  readonly isJson: boolean;
}
