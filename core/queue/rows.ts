import type { MessageAttributes, QueueAttributes, Random } from "../contracts/index.js";
import type { BlobRow } from "./blobs.js";
import type { Table, Tables } from "./tables.js";

export interface QueueRow {
  readonly id: number;
  /** The stretch of keys its messages lie in; a purge gives a new one. */
  readonly lane: number;
  readonly attributes: QueueAttributes;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

/** Counts of one lane: messages by the index they stand in, not yet by what time has made of them since. */
export interface Totals {
  ready: number;
  inFlight: number;
  delayed: number;
  bytes: number;
  records: number;
  /** Time part of the newest place given; places never go backwards. */
  lastOrder: number;
}

/**
 * One message. It stands in `ready`, or in `hidden` under `visibleAt`; once that time has come it may stand in either
 * until the next write to the queue moves it.
 */
export interface MessageRow {
  readonly id: string;
  readonly sentAt: number;
  readonly bytes: number;
  readonly records: number;
  readonly attributes?: MessageAttributes;
  /** Claim check: where the body lies instead of `bodies`. */
  readonly blob?: string;
  readonly receiveCount: number;
  /** 0: never received. */
  readonly firstReceivedAt: number;
  /** Of the last receive or claim; the twelve hours count from here. */
  readonly receivedAt: number;
  /** 0: never hidden. */
  readonly visibleAt: number;
  /** Hidden by its delay rather than by a receive. */
  readonly delayed: boolean;
  /** The queue it came from, in a dead-letter queue. */
  readonly deadLetterSource?: string;
}

/** The tables of the buffer (keys.ts). */
export interface QueueTables {
  readonly queues: Table<QueueRow>;
  readonly totals: Table<Totals>;
  readonly messages: Table<MessageRow>;
  readonly ready: Table<Buffer>;
  readonly hidden: Table<Buffer>;
  readonly bodies: Table<Buffer>;
  readonly blobs: Table<BlobRow>;
  readonly trash: Table<{ readonly queue: string }>;
  readonly counters: Table<number>;
}

export function openQueueTables(tables: Tables): QueueTables {
  return {
    queues: tables.json("queues"),
    totals: tables.json("totals"),
    messages: tables.json("messages"),
    ready: tables.bytes("ready"),
    hidden: tables.bytes("hidden"),
    bodies: tables.bytes("bodies"),
    blobs: tables.json("blobs"),
    trash: tables.json("trash"),
    counters: tables.json("counters"),
  };
}

/** A source of numbers, time and tables: what every part of the buffer works with. */
export interface QueueHost {
  readonly tables: QueueTables;
  /** Tables.read: one snapshot for several reads. */
  readonly snapshot: Tables["read"];
  readonly now: () => number;
  readonly random: Random;
}
