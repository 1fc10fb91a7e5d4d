import { BulkWorld } from "./bulk-world.js";
import type { World } from "./killed-world.js";
import { SlackWorld } from "./slack-world.js";
import { CrashWorld } from "./world.js";
import { ZendeskWorld } from "./zendesk-world.js";

/** What is read while runs are killed: `rest` into every kind of sink, the others into files and a table. */
export const CRASH_SOURCES = ["rest", "bulk", "slack", "zendesk"] as const;
export type CrashSource = (typeof CRASH_SOURCES)[number];

export function isCrashSource(name: string): name is CrashSource {
  return CRASH_SOURCES.some((source) => source === name);
}

/** Their pages are smaller: an eighth of the records is as many pages. */
const SMALLER = 8;

/** `records` per object of Salesforce. */
export function createWorld(source: CrashSource, seed: number, records: number): Promise<World> {
  switch (source) {
    case "rest":
      return CrashWorld.create(seed, records);
    case "bulk":
      return BulkWorld.create(seed, records);
    case "slack":
      return SlackWorld.create(seed, Math.ceil(records / SMALLER));
    case "zendesk":
      return ZendeskWorld.create(seed, Math.ceil(records / SMALLER));
  }
}

/** Three quarters of the kills are for the world with every kind of sink, the others share the rest. */
export function killsOf(source: CrashSource, kills: number): number {
  const others = CRASH_SOURCES.length - 1;
  const each = Math.floor(kills / 4 / others);
  return source === "rest" ? kills - others * each : each;
}
