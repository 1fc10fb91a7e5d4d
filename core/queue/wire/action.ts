import type { Queues } from "../../contracts/index.js";
import type { Place } from "./address.js";
import type { Parameters } from "./parameters.js";
import type { ObjectAddress } from "./pointer.js";

/** What an action works with beside its parameters. */
export interface Call {
  readonly queues: Queues;
  readonly place: Place;
  /** SQS's waits of 60 s after deleting and purging. */
  readonly cooldown: boolean;
  /** The X-Amzn-Trace-Id header of the request. */
  readonly traceId: string | undefined;
  /** Aborts when the client leaves or the endpoint closes. Made when first asked for. */
  signal(): AbortSignal;
  clientLeft(): boolean;
  /** Where the body of a message can be fetched that is too long for the wire. */
  payloadOf(queue: string, messageId: string): ObjectAddress;
}

/** The members of an answer, as the JSON protocol writes them. Undefined ones are left out: absent, never empty. */
export type Answer = Readonly<Record<string, unknown>>;

export interface Action {
  readonly name: string;
  readonly run: (parameters: Parameters, call: Call) => Answer | Promise<Answer>;
}

/** For actions without output. */
export const NOTHING: Answer = {};

/** Absent, never empty. */
export function unlessEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}

/** The same for maps, as objects. */
export function objectUnlessEmpty<T>(
  entries: readonly (readonly [string, T])[],
): Readonly<Record<string, T>> | undefined {
  // Not by assignment: `__proto__` is a legal name of an attribute and of a tag.
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
