import { wireRefusals } from "./wire-error.js";

export interface Page {
  readonly items: readonly string[];
  /** Undefined at the end. */
  readonly next: string | undefined;
}

/** `names` behind the token, in their order. A token says after which name to go on, so it survives changes between pages. */
export function page(names: readonly string[], most: number, token: string | undefined): Page {
  const sorted = [...names].sort();
  const after = token === undefined ? undefined : readToken(token);
  const start = after === undefined ? 0 : firstBehind(sorted, after);
  const items = sorted.slice(start, start + most);
  const last = items.at(-1);
  const more = start + most < sorted.length && last !== undefined;
  return { items, next: more ? Buffer.from(`after ${last}`).toString("base64url") : undefined };
}

function firstBehind(sorted: readonly string[], after: string): number {
  const index = sorted.findIndex((name) => name > after);
  return index < 0 ? sorted.length : index;
}

function readToken(token: string): string {
  const [, name] = /^after ([A-Za-z0-9_.-]+)$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (name === undefined) throw wireRefusals.parameter("Invalid or expired next token.");
  return name;
}
