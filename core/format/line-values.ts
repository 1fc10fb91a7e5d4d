import { type Schema, throwIfCancelled } from "../contracts/index.js";
import { TokenScanner } from "./token.js";

const NEWLINE = 10;
const QUOTE = 34;

/** The fields of one line after another, as the portable writers need them. */
export class LineValues {
  readonly #scanner: TokenScanner;
  #line: Buffer = Buffer.alloc(0);
  /** Bytes of the current line, its end included. */
  lineBytes = 0;

  constructor(schema: Schema) {
    this.#scanner = new TokenScanner(schema.fields.map(({ name }) => name));
  }

  /** Calls `each` for every line; returns their number. */
  async forEach(
    chunks: AsyncIterable<Buffer>,
    signal: AbortSignal,
    each: () => void | Promise<void>,
  ): Promise<number> {
    let count = 0;
    for await (const chunk of chunks) {
      throwIfCancelled(signal);
      this.#line = chunk;
      for (let from = 0; from < chunk.length; ) {
        const newline = chunk.indexOf(NEWLINE, from);
        const end = newline < 0 ? chunk.length : newline;
        this.#scanner.scan(chunk, from, end);
        this.lineBytes = end + 1 - from;
        count++;
        const pending = each();
        if (pending !== undefined) await pending;
        from = end + 1;
      }
    }
    return count;
  }

  /** The token of a field as it stands in the line; undefined for null and for a field the line lacks. */
  token(index: number): string | undefined {
    const start = this.#scanner.starts[index] ?? -1;
    if (start < 0) return undefined;
    const token = this.#line.toString("utf8", start, this.#scanner.ends[index]);
    return token === "null" ? undefined : token;
  }

  /** The text of a string field. */
  text(index: number): string | undefined {
    const start = this.#scanner.starts[index] ?? -1;
    if (start < 0 || this.#line[start] !== QUOTE) return undefined;
    const inside = this.#line.toString("utf8", start + 1, (this.#scanner.ends[index] ?? 0) - 1);
    return inside.includes("\\") ? String(JSON.parse(`"${inside}"`)) : inside;
  }
}
