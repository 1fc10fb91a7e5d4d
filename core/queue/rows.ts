import type { MoveTask, QueueAttributes, Random } from "../contracts/index.js";
import type { BlobRow } from "./blobs.js";
import type { Table, Tables } from "./tables.js";

export interface QueueRow {
  readonly id: number;
  /** The stretch of keys its messages lie in; a purge gives a new one. */
  readonly lane: number;
  readonly attributes: QueueAttributes;
  readonly tags?: Readonly<Record<string, string>>;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly purgedAt?: number;
}

export function isFifo(row: QueueRow): boolean {
  return row.attributes.FifoQueue === true;
}

/** A message that was sent with the same deduplication id less than five minutes ago. */
export interface RepeatRow {
  readonly messageId: string;
  readonly sequenceNumber: string;
  /** Epoch ms. */
  readonly until: number;
}

/** A message group of a standard queue. */
export interface TenantRow {
  readonly inFlight: number;
  /** Its oldest pack with a visible message. */
  readonly head?: { readonly order: number; readonly sequence: number };
}

/** What a receive request attempt was given. */
export interface AttemptRow {
  /** Epoch ms. */
  readonly until: number;
  readonly given: readonly {
    readonly order: number;
    readonly sequence: number;
    readonly receiveCount: number;
  }[];
}

export interface MoveTaskRow extends Omit<MoveTask, "destination" | "maxPerSecond"> {
  readonly destination?: string;
  readonly maxPerSecond?: number;
  /** Messages sent later than this one are not meant. */
  readonly upTo: number;
  /** Epoch ms: the rate allows the next piece from here on. */
  readonly nextAt: number;
}

/** The tables of the buffer (keys.ts). */
export interface QueueTables {
  /** QueueRow as JSON: the catalog parses it when it has changed. */
  readonly queues: Table<Buffer>;
  readonly deleted: Table<number>;
  readonly totals: Table<Buffer>;
  readonly packs: Table<Buffer>;
  readonly states: Table<Buffer>;
  readonly ready: Table<Buffer>;
  readonly hidden: Table<Buffer>;
  readonly bodies: Table<Buffer>;
  readonly blobs: Table<BlobRow>;
  readonly heads: Table<Buffer>;
  readonly tenants: Table<TenantRow>;
  readonly members: Table<Buffer>;
  readonly groups: Table<number>;
  readonly turns: Table<Buffer>;
  readonly repeats: Table<RepeatRow>;
  readonly expiring: Table<Buffer>;
  readonly attempts: Table<AttemptRow>;
  readonly aliases: Table<Buffer>;
  readonly moveTasks: Table<MoveTaskRow>;
  readonly trash: Table<{ readonly queue: string }>;
  readonly counters: Table<number>;
}

export function openQueueTables(tables: Tables): QueueTables {
  return {
    queues: tables.bytes("queues"),
    deleted: tables.json("deleted"),
    totals: tables.bytes("totals"),
    packs: tables.bytes("packs"),
    states: tables.bytes("states"),
    ready: tables.bytes("ready"),
    heads: tables.bytes("heads"),
    hidden: tables.bytes("hidden"),
    bodies: tables.bytes("bodies"),
    blobs: tables.json("blobs"),
    tenants: tables.json("tenants"),
    members: tables.bytes("members"),
    groups: tables.json("groups"),
    turns: tables.bytes("turns"),
    repeats: tables.json("repeats"),
    expiring: tables.bytes("expiring"),
    attempts: tables.json("attempts"),
    aliases: tables.bytes("aliases"),
    moveTasks: tables.json("moveTasks"),
    trash: tables.json("trash"),
    counters: tables.json("counters"),
  };
}

/** Tables whose keys begin with a lane and hold nothing outside themselves: emptying a lane clears them. */
export function laneTables(tables: QueueTables): readonly Pick<Table<unknown>, "keys" | "remove">[] {
  const { states, packs, ready, heads, hidden, tenants, members, groups, turns } = tables;
  const { repeats, expiring, attempts, aliases } = tables;
  return [
    states,
    packs,
    ready,
    heads,
    hidden,
    tenants,
    members,
    groups,
    turns,
    repeats,
    expiring,
    attempts,
    aliases,
  ];
}

/** A source of numbers, time and tables: what every part of the buffer works with. */
export interface QueueHost {
  readonly tables: QueueTables;
  /** Tables.read: one snapshot for several reads. */
  readonly snapshot: Tables["read"];
  readonly cache: () => Tables["cache"];
  readonly now: () => number;
  readonly random: Random;
}
