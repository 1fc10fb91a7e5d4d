import { refusals } from "../refusals.js";
import { type Answer, unlessEmpty } from "./action.js";
import { type Parameters, requiredText } from "./parameters.js";
import { entryCode, wireErrorOf, wireRefusals } from "./wire-error.js";

const MOST_ENTRIES = 10;
const ENTRY_ID = /^[A-Za-z0-9_-]{1,80}$/;

export interface BatchEntry {
  readonly id: string;
  readonly parameters: Parameters;
}

interface FailedEntry {
  readonly Id: string;
  readonly SenderFault: boolean;
  readonly Code: string;
  readonly Message: string;
}

/** The entries of a batch; throws what concerns the whole request. `action`: SendMessageBatch and so on. */
export function batchEntries(parameters: Parameters, queue: string, action: string): readonly BatchEntry[] {
  const given = parameters.list("Entries", `${action}RequestEntry`);
  if (given === undefined || given.length === 0) throw refusals.emptyBatch(queue, action);
  if (given.length > MOST_ENTRIES) throw refusals.tooManyEntries(queue, given.length);
  const entries = given.map((entry) => ({ id: requiredText(entry, "Id"), parameters: entry }));
  for (const { id } of entries) if (!ENTRY_ID.test(id)) throw wireRefusals.batchEntryId();
  const met = new Set<string>();
  for (const { id } of entries) {
    if (met.has(id)) throw wireRefusals.repeatedId(id);
    met.add(id);
  }
  return entries;
}

/** Gathers what became of each entry. */
export class BatchAnswer {
  readonly #successful: Answer[] = [];
  readonly #failed: FailedEntry[] = [];

  succeeded(answer: Answer): void {
    this.#successful.push(answer);
  }

  refused(id: string, { code, message }: { readonly code: string; readonly message: string }): void {
    this.#failed.push({ Id: id, SenderFault: true, Code: entryCode(code), Message: message });
  }

  /** An entry whose parameters make no sense fails alone; a fault of ours fails the request. */
  threw(id: string, error: unknown): void {
    const { fault, queryCode, message } = wireErrorOf(error);
    if (fault === "Receiver" || queryCode === "MalformedInput") throw error;
    this.#failed.push({ Id: id, SenderFault: true, Code: queryCode, Message: message });
  }

  answer(): Answer {
    return { Successful: unlessEmpty(this.#successful), Failed: unlessEmpty(this.#failed) };
  }
}
