import type { Parameters } from "./parameters.js";
import { wireRefusals } from "./wire-error.js";

type Members = Readonly<Record<string, unknown>>;

/** Parameters of the JSON protocol: a view of the parsed object that checks each value as it is read. */
export class JsonParameters implements Parameters {
  readonly #values: Members;

  /** `value`: parsed JSON; throws MalformedInput unless it is an object. */
  constructor(value: unknown) {
    if (!isMembers(value)) throw mismatch(value, "structure");
    this.#values = value;
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === "string") return value;
    throw mismatch(value, "String");
  }

  integer(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value)) return value;
    throw mismatch(value, "Integer");
  }

  blob(name: string): Buffer | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw mismatch(value, "Blob");
    return blobOf(value);
  }

  texts(name: string): readonly string[] | undefined {
    return this.#items(name)?.map((item) => {
      if (typeof item !== "string") throw mismatch(item, "String");
      return item;
    });
  }

  list(name: string): readonly Parameters[] | undefined {
    return this.#items(name)?.map((item) => new JsonParameters(item));
  }

  textMap(name: string): ReadonlyMap<string, string> | undefined {
    return this.#entries(name, (value) => {
      if (typeof value !== "string") throw mismatch(value, "String");
      return value;
    });
  }

  map(name: string): ReadonlyMap<string, Parameters> | undefined {
    return this.#entries(name, (value) => new JsonParameters(value));
  }

  #get(name: string): unknown {
    // null is absence in AWS JSON. Names of ours never meet what objects inherit.
    return this.#values[name] ?? undefined;
  }

  #items(name: string): readonly unknown[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw mismatch(value, "list");
    return value;
  }

  #entries<T>(name: string, read: (value: unknown) => T): ReadonlyMap<string, T> | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!isMembers(value)) throw mismatch(value, "map");
    const entries = new Map<string, T>();
    for (const [key, item] of Object.entries(value)) if (item !== null) entries.set(key, read(item));
    return entries;
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Base64 as SDKs write it; throws MalformedInput. */
export function blobOf(text: string): Buffer {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text))
    throw wireRefusals.malformed("A binary value is not valid base64.");
  return Buffer.from(text, "base64");
}

function mismatch(value: unknown, expected: string) {
  if (Array.isArray(value)) return wireRefusals.malformed("Start of list found where not expected");
  if (typeof value === "object" && value !== null)
    return wireRefusals.malformed("Start of structure or map found where not expected.");
  const article = /^[AEIOU]/i.test(expected) ? "an" : "a";
  const found = typeof value === "boolean" ? String(value).toUpperCase() : (typeof value).toUpperCase();
  return wireRefusals.malformed(`${found}_VALUE can not be converted to ${article} ${expected}`);
}
