import { inspect } from "node:util";
import type { Log } from "../../../core/contracts/index.js";

/** A log that keeps every word, to search it for what must not be there. */
export class LogSpy implements Log {
  readonly lines: string[] = [];
  #entry(level: string, message: string, fields?: Record<string, unknown>) {
    this.lines.push(`${level} ${message} ${inspect(fields, { depth: 10 })}`);
  }
  debug = (message: string, fields?: Record<string, unknown>) => this.#entry("debug", message, fields);
  info = (message: string, fields?: Record<string, unknown>) => this.#entry("info", message, fields);
  warn = (message: string, fields?: Record<string, unknown>) => this.#entry("warn", message, fields);
  error = (message: string, fields?: Record<string, unknown>) => this.#entry("error", message, fields);
}
