import type { SourceRecord } from "../../core/contracts/index.js";
import type { Window } from "./book.js";
import type { Channel } from "./channels.js";
import type { SlackOptions } from "./config.js";
import type { Item } from "./descent.js";
import { decodeTimes, TimeLedger } from "./ledger.js";
import { type Micros, microsOf } from "./moment.js";
import { ReconcilingWork, type Shape, type WorkContext } from "./reconcile.js";
import { changedAt, goneMessage, isTombstone, messageRecord } from "./shape.js";

/** False for what bots have posted where the options leave it out; `bot_id` stands in messages of apps as well. */
export function isWanted({ raw }: Item, options: SlackOptions): boolean {
  if (options.bots === "include") return true;
  return raw.subtype !== "bot_message" && typeof raw.bot_id !== "string";
}

/** A message or reply as a record. `changed`: when it was found changed, null where it is new. */
export function recordOf(item: Item, changed: Micros | null, channel: Channel): SourceRecord {
  const own = changedAt(item.raw, item.at);
  return messageRecord(item.raw, item.at, changed === null ? own : Math.max(own, changed), channel);
}

/** The messages of one window of one channel. */
export function messageWork(
  context: WorkContext,
  channel: Channel,
  window: Window,
  options: SlackOptions,
): ReconcilingWork {
  const shape: Shape = {
    isWanted: (item) => isWanted(item, options),
    record: (item, changed) => recordOf(item, changed, channel),
    gone: (ts, changed) => goneMessage(ts, changed, channel),
    at: microsOf,
    decode: decodeTimes,
    ledger: TimeLedger.resume,
    isGone: ({ raw }) => isTombstone(raw),
    grain: 0,
  };
  return new ReconcilingWork(context, window, shape);
}
