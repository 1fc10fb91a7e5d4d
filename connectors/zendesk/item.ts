import { ExactNumber, TransientError, type Value } from "../../core/contracts/index.js";

/** A record as Zendesk sends it. */
export type Item = Readonly<Record<string, Value>>;

export function isItem(value: unknown): value is Item {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/** The items under `key` of an answer. TransientError where the answer is not of that form: it is asked for again later. */
export function itemsOf(answer: unknown, key: string, place: string): readonly Item[] {
  const list: unknown = isItem(answer) ? answer[key] : undefined;
  if (!Array.isArray(list)) throw unexpected(`has no ${key}`, place);
  if (!list.every(isItem)) throw unexpected(`holds ${key} that are no objects`, place);
  return list;
}

export function unexpected(what: string, place: string): TransientError {
  return new TransientError("ZENDESK_UNEXPECTED_ANSWER", `the answer ${what}`, {
    place,
    fix: "Run the flow again: it goes on behind the last good page. If it stays, ask Zendesk.",
  });
}

/** Zendesk leads back to where we are: going on would never end, and going past it might lose records. */
export function goesRound(what: string, place: string): TransientError {
  return new TransientError("ZENDESK_REPEATED_PAGE", what, {
    place,
    fix: "Run the flow again later: it goes on at this very place. If it stays, ask Zendesk.",
  });
}

/** The id as a key of sets; undefined where an item has none. */
export function idOf(item: Item): string | number | undefined {
  const { id } = item;
  if (typeof id === "number" || typeof id === "string") return id;
  return id instanceof ExactNumber ? id.text : undefined;
}
