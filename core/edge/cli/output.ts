import { styleText } from "node:util";
import { invariant, type RunError } from "../../contracts/index.js";
import type { Redactor } from "../redactor.js";
import { toJson } from "./json.js";
import type { OutputStream, Shell } from "./shell.js";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Where a command's words go: the one result to standard output, everything else to standard error. */
export class Output {
  readonly json: boolean;
  readonly #shell: Shell;
  readonly #redactor: Redactor;
  #hasResult = false;
  /** While a progress line stands on the terminal, other lines go above it. */
  #above: ((text: string) => void) | undefined;

  constructor(shell: Shell, json: boolean, redactor: Redactor) {
    this.json = json;
    this.#shell = shell;
    this.#redactor = redactor;
  }

  /** True once the result was printed: an error that follows must not print a second JSON document. */
  get hasResult(): boolean {
    return this.#hasResult;
  }

  /** An error of the run history, which keeps the words of other systems, without secrets. */
  redacted(error: RunError | null): RunError | null {
    if (error === null) return null;
    const { message, place, fix } = error;
    return {
      ...error,
      message: this.#redactor.text(message),
      ...(place === undefined ? {} : { place: this.#redactor.text(place) }),
      ...(fix === undefined ? {} : { fix: this.#redactor.text(fix) }),
    };
  }

  /** The command's result, once: the JSON document with --json, else the text. An empty text prints nothing. */
  result(document: unknown, text: () => string): void {
    invariant(!this.#hasResult, "CLI_TWO_RESULTS", "a command printed two results");
    this.#hasResult = true;
    const words = this.json ? toJson(document) : text();
    if (words !== "") this.#shell.stdout.write(`${words}\n`);
  }

  /**
   * The same for a long list, printed as it is read: one JSON array; or texts of at most `rows` items each, one for none
   * at all.
   */
  results<T>(
    items: Iterable<T>,
    document: (item: T) => unknown,
    rows: number,
    text: (items: readonly T[]) => string,
  ): void {
    invariant(!this.#hasResult, "CLI_TWO_RESULTS", "a command printed two results");
    this.#hasResult = true;
    const { stdout } = this.#shell;
    if (this.json) {
      let before = "[";
      for (const item of items) {
        stdout.write(`${before}\n  ${toJson(document(item)).replaceAll("\n", "\n  ")}`);
        before = ",";
      }
      stdout.write(before === "[" ? "[]\n" : "\n]\n");
      return;
    }
    let piece: T[] = [];
    let printed = false;
    const print = () => {
      stdout.write(`${text(piece)}\n`);
      printed = true;
      piece = [];
    };
    for (const item of items) {
      piece.push(item);
      if (piece.length === rows) print();
    }
    if (piece.length > 0 || !printed) print();
  }

  /** The result of a command that goes on to serve: one line, JSON or text, once it is ready. */
  ready(document: unknown, text: () => string): void {
    invariant(!this.#hasResult, "CLI_TWO_RESULTS", "a command printed two results");
    this.#hasResult = true;
    this.#shell.stdout.write(`${this.json ? toJson(document, 0) : text()}\n`);
  }

  /** A line for people, on standard error; left out with --json. */
  note(text: string): void {
    if (!this.json) this.line(text);
  }

  /** Something the person should know although the command goes on. */
  warn(text: string): void {
    this.line(`${this.paintError("yellow", "warning")}: ${text}`);
  }

  /** A line on standard error, above the progress line where there is one. */
  line(text: string): void {
    this.write(`${this.#redactor.text(text)}\n`);
  }

  /** Text that is redacted and ends its lines already: the log's. */
  write(text: string): void {
    if (this.#above === undefined) this.#shell.stderr.write(text);
    else this.#above(text);
  }

  /** Sends lines of standard error through `above` until called with undefined. */
  holdLines(above: ((text: string) => void) | undefined): void {
    this.#above = above;
  }

  /** Styled for standard output, where that is a terminal. */
  paint(style: Style, text: string): string {
    return this.#paint(this.#shell.stdout, style, text);
  }

  /** Styled for standard error. */
  paintError(style: Style, text: string): string {
    return this.#paint(this.#shell.stderr, style, text);
  }

  /** Titles of tables. */
  title = (text: string): string => this.paint("bold", text);

  #paint(stream: OutputStream, style: Style, text: string): string {
    const { NO_COLOR, TERM } = this.#shell.env;
    // no-color.org: set and not empty.
    const plain = !stream.isTerminal || (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";
    return plain ? text : styleText(style, text, { validateStream: false });
  }
}
