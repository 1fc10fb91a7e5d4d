import { inspect } from "node:util";

/**
 * A value that prints as `[redacted]` everywhere and opens only where it is used.
 * `${env:NAME}` and `${file:path}` in YAML become Secrets; so does any config key marked secret.
 */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The plain text; call it only at the point of use. */
  open(): string {
    return this.#value;
  }
  toString(): string {
    return "[redacted]";
  }
  toJSON(): string {
    return "[redacted]";
  }
  [inspect.custom](): string {
    return "[redacted]";
  }
}

/** Plain text of a value that may or may not be a Secret. */
export function openSecret(value: string | Secret): string {
  return typeof value === "string" ? value : value.open();
}
