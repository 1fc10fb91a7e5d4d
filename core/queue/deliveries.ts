import type { BatchOutcome, Message } from "../contracts/index.js";
import type { Bodies } from "./bodies.js";
import type { Catalog } from "./catalog.js";
import { DeadLettering } from "./dead-lettering.js";
import type { Effects } from "./effects.js";
import { isBefore, type Place } from "./keys.js";
import type { Found, Lane } from "./lane.js";
import { laneOf } from "./lanes.js";
import type { Shapes } from "./message.js";
import { parseMessageId } from "./message-id.js";
import type { Pack, Slot } from "./pack.js";
import { LONGEST_VISIBILITY_SECONDS } from "./queue-attributes.js";
import { parseReceipt } from "./receipt-handle.js";
import { entryRefusals } from "./refusals.js";
import type { Repeats } from "./repeats.js";
import { isFifo, type QueueHost, type QueueRow } from "./rows.js";
import { dropMessage, dropPack, settle } from "./settle.js";
import { MORE_THAN_NOISY } from "./tenants.js";

/** Moves to the dead-letter queue within one receive; the next receive goes on. */
const MOST_MOVES = 1_000;
/** Packs and groups looked at in one go. */
const PIECE = 10;

export interface Received {
  readonly messages: Message[];
  /** More is visible, as far as this receive has seen. */
  readonly more: boolean;
  /** Something was moved or cleared away: an empty answer does not mean an empty queue. */
  readonly moved: boolean;
  /** As many are in flight as may be. */
  readonly full: boolean;
}

/** One receive under way. */
interface Receive {
  readonly row: QueueRow;
  readonly lane: Lane;
  readonly now: number;
  readonly timeoutMs: number;
  /**
   * How long what is taken is out of sight while the receive is under way: with a timeout of 0 a tenant's message
   * would be found again.
   */
  readonly holdMs: number;
  /** Messages sent at this time or before have expired. */
  readonly expired: number;
  readonly effects: Effects;
  /** Expired messages met and removed. */
  cleared: number;
  /** Messages that may be taken yet. */
  wanted: number;
  readonly messages: Message[];
  /** Those that stay visible, where they lie. */
  readonly taken: Found[];
  readonly deadLetters: DeadLettering;
}

/**
 * What happens to messages between their send and their end, each operation inside a transaction of the caller.
 * At-least-once of the service is exactly-once-per-timeout here, and a standard queue's order is by time of sending:
 * both within what SQS's queues may do.
 */
export class Deliveries {
  readonly #host: QueueHost;
  readonly #catalog: Catalog;
  readonly #bodies: Bodies;
  readonly #shapes: Shapes;
  readonly mostInFlight: number;

  constructor(host: QueueHost, catalog: Catalog, bodies: Bodies, shapes: Shapes, mostInFlight: number) {
    this.mostInFlight = mostInFlight;
    this.#host = host;
    this.#catalog = catalog;
    this.#bodies = bodies;
    this.#shapes = shapes;
  }

  receive(
    queue: string,
    most: number,
    {
      visibilityTimeoutMs,
      attemptId,
    }: { readonly visibilityTimeoutMs?: number; readonly attemptId?: string },
    effects: Effects,
  ): Received {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    const expired = settle(lane, row, now, this.#bodies, effects);
    const room = this.mostInFlight - lane.totals.inFlight;
    const timeoutMs = visibilityTimeoutMs ?? row.attributes.VisibilityTimeout * 1000;
    const receive: Receive = {
      row,
      lane,
      now,
      timeoutMs,
      holdMs: lane.totals.grouped > 0 && !lane.fifo ? Math.max(1, timeoutMs) : timeoutMs,
      wanted: Math.min(most, room),
      messages: [],
      taken: [],
      expired,
      effects,
      cleared: 0,
      deadLetters: new DeadLettering(this.#host, this.#catalog, queue, row, lane, effects),
    };
    const repeats = attemptId === undefined ? undefined : lane.repeats;
    if (!lane.fifo && lane.totals.grouped > 0) this.#takeFairly(receive);
    else if (!lane.fifo) this.#takeOldest(receive);
    else if (repeats === undefined || attemptId === undefined) this.#takeFromGroups(receive);
    else if (!this.#again(receive, repeats, attemptId)) {
      this.#takeFromGroups(receive);
      if (receive.messages.length > 0) repeats.rememberAttempt(attemptId, given(receive.messages), now);
    }
    receive.deadLetters.save();
    lane.save();
    return {
      messages: receive.messages,
      more: lane.totals.ready > 0,
      moved: receive.deadLetters.moves + receive.cleared > 0,
      full: room <= 0,
    };
  }

  delete(queue: string, receiptHandles: readonly string[], effects: Effects): BatchOutcome[] {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    const outcomes = receiptHandles.map((receiptHandle): BatchOutcome => {
      const receipt = parseReceipt(receiptHandle);
      if (receipt?.queueId !== row.id)
        return { receiptHandle, error: entryRefusals.invalidHandle(receiptHandle) };
      const found = lane.inPack(receipt, receipt.index, receipt.tail);
      if (!found || isExpired(row, found, now)) return { receiptHandle };
      if (lane.fifo && isStale(found.pack.slot(found.index), receipt.receiveNumber, now))
        return { receiptHandle, error: entryRefusals.handleExpired(receiptHandle) };
      dropMessage(lane, found, this.#bodies, effects);
      return { receiptHandle };
    });
    lane.save();
    if (lane.fifo) effects.wake(queue);
    return outcomes;
  }

  deleteById(queue: string, ids: readonly string[], effects: Effects): number {
    const row = this.#catalog.row(queue);
    const lane = laneOf(this.#host, row);
    let removed = 0;
    for (const id of ids) {
      const found = this.find(lane, row, id);
      if (!found) continue;
      dropMessage(lane, found, this.#bodies, effects);
      removed += 1;
    }
    lane.save();
    if (lane.fifo) effects.wake(queue);
    return removed;
  }

  changeVisibility(
    queue: string,
    changes: readonly { readonly receiptHandle: string; readonly visibilityTimeoutMs: number }[],
    effects: Effects,
  ): BatchOutcome[] {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    const outcomes = changes.map(({ receiptHandle, visibilityTimeoutMs }): BatchOutcome => {
      const error = changeOne(row, lane, now, receiptHandle, visibilityTimeoutMs);
      return error === undefined ? { receiptHandle } : { receiptHandle, error };
    });
    lane.save();
    effects.wake(queue);
    return outcomes;
  }

  /** Receives these very messages without counting it (Queues.claim). */
  claim(queue: string, ids: readonly string[], visibilityTimeoutMs: number, effects: Effects): Message[] {
    const row = this.#catalog.row(queue);
    const now = this.#host.now();
    const lane = laneOf(this.#host, row);
    const messages: Message[] = [];
    for (const id of ids) {
      const found = this.find(lane, row, id);
      if (found) messages.push(this.#take({ row, lane, now, holdMs: visibilityTimeoutMs }, found, 0));
    }
    lane.save();
    if (visibilityTimeoutMs === 0) effects.wake(queue);
    return messages;
  }

  /** The message of that id that is still to be kept, in whatever state; also outside a transaction. */
  find(lane: Lane, row: QueueRow, id: string): Found | undefined {
    const parsed = parseMessageId(id);
    if (!parsed) return undefined;
    const place = (lane.fifo && lane.aliased(id)) || parsed;
    const found = lane.at(place, parsed.tail);
    return found && !isExpired(row, found, this.#host.now()) ? found : undefined;
  }

  /** Standard queues with groups: the oldest message of a tenant that is not noisy, and only then any. */
  #takeFairly(receive: Receive): void {
    const { lane, expired, now } = receive;
    const start = sentAfter(expired);
    while (receive.wanted > 0 && mayMove(receive)) {
      const heads = lane.tenants.heads(MORE_THAN_NOISY);
      const quiet = heads.find(
        ({ place, group }) => place.order <= expired || !lane.tenants.isNoisy(group, lane.totals),
      );
      const [ready] = lane.ready(start, 1);
      const head = quiet ?? (ready ? undefined : heads[0]);
      const pack = head && lane.pack(head.place);
      const next = !pack || (ready && isBefore(ready.place, pack.place)) ? ready : pack;
      if (!next) break;
      if (next.place.order <= expired) receive.cleared += dropPack(lane, next, this.#bodies, receive.effects);
      else this.#takePack(receive, next);
      lane.save(); // the tenant's next pack comes to the fore
    }
    if (receive.timeoutMs > 0) return;
    for (const found of receive.taken)
      lane.replace(found, { ...found.pack.slot(found.index), ...hidden(now, 0) });
  }

  /** Takes visible messages, pack by pack, until there are enough. */
  #takeOldest(receive: Receive): void {
    const { lane } = receive;
    // Mostly one pack is enough: the first look is short.
    for (
      let from = sentAfter(receive.expired), limit = 2;
      receive.wanted > 0 && mayMove(receive);
      limit = PIECE
    ) {
      const piece = lane.ready(from, limit);
      for (const pack of piece) {
        from = { order: pack.place.order, sequence: pack.place.sequence + 1 };
        if (receive.wanted <= 0) return;
        this.#takePack(receive, pack);
      }
      if (piece.length < limit) return;
    }
  }

  #takePack(receive: Receive, pack: Pack): void {
    for (let index = 0; index < pack.count && receive.wanted > 0; index++) {
      if (pack.state(index) !== "ready") continue;
      const found = { pack, index };
      if (receive.deadLetters.takes(found)) continue;
      receive.messages.push(this.#take(receive, found, 1));
      if (receive.timeoutMs === 0) receive.taken.push(found);
      receive.wanted -= 1;
    }
  }

  /**
   * FIFO queues: of each group the visible messages from its head on; the first that is in flight or delayed ends
   * them. One group after the other, the one that waits longest first.
   */
  #takeFromGroups(receive: Receive): void {
    const { lane } = receive;
    while (receive.wanted > 0 && mayMove(receive)) {
      const [group] = lane.groups.waiting(1);
      if (group === undefined) return;
      this.#takeFromGroup(receive, group);
      lane.groups.served(group);
    }
  }

  #takeFromGroup(receive: Receive, group: string): void {
    const { lane, deadLetters } = receive;
    for (let behind: Place | undefined; receive.wanted > 0 && mayMove(receive); ) {
      const places = lane.groups.members(group, PIECE, behind);
      for (const place of places) {
        if (receive.wanted <= 0) return;
        const pack = lane.pack(place);
        // More has expired than was cleared away just now.
        if (pack && place.order <= receive.expired) {
          dropMessage(lane, { pack, index: 0 }, this.#bodies, receive.effects);
          receive.cleared += 1;
          continue;
        }
        if (pack?.state(0) !== "ready") return;
        if (deadLetters.takes({ pack, index: 0 })) continue;
        receive.messages.push(this.#take(receive, { pack, index: 0 }, 1));
        receive.wanted -= 1;
      }
      behind = places.at(-1);
      if (places.length < PIECE) return;
    }
  }

  /**
   * The same receive request attempt as before: its messages once more, with the same handles, unless one of them was
   * deleted, came back or was given another timeout since.
   */
  #again(receive: Receive, repeats: Repeats, attemptId: string): boolean {
    const { row, lane, now, timeoutMs } = receive;
    repeats.forget(now);
    const founds: Found[] = [];
    for (const { receiveCount, ...place } of repeats.attempt(attemptId, now)?.given ?? []) {
      const pack = lane.pack(place);
      const slot = pack?.slot(0);
      if (!pack || !slot || slot.changed || isStale(slot, receiveCount, now)) return false;
      founds.push({ pack, index: 0 });
    }
    for (const found of founds) {
      const slot: Slot = { ...found.pack.slot(found.index), receivedAt: now, ...hidden(now, timeoutMs) };
      lane.replace(found, slot);
      receive.messages.push(this.#shapes.received(row, lane, found, now));
    }
    return founds.length > 0;
  }

  #take(
    { row, lane, now, holdMs }: Pick<Receive, "row" | "lane" | "now" | "holdMs">,
    found: Found,
    counts: 0 | 1,
  ): Message {
    lane.take(found, counts, now, holdMs);
    return this.#shapes.received(row, lane, found, now);
  }
}

/** One receive does not pay for a whole backlog of messages that are not delivered. */
function mayMove({ deadLetters, cleared }: Receive): boolean {
  return deadLetters.moves + cleared < MOST_MOVES;
}

/** The first place of a message that was sent later. */
function sentAfter(time: number): Place {
  return { order: time + 1, sequence: 0 };
}

function hidden(now: number, timeoutMs: number): Pick<Slot, "state" | "visibleAt"> {
  return { state: timeoutMs > 0 ? "inFlight" : "ready", visibleAt: now + timeoutMs };
}

function given(messages: readonly Message[]) {
  return messages.map(({ receiptHandle, receiveCount }) => {
    const { order = 0, sequence = 0 } = parseReceipt(receiptHandle) ?? {};
    return { order, sequence, receiveCount };
  });
}

function isExpired(row: QueueRow, { pack }: Found, now: number): boolean {
  return pack.place.order + row.attributes.MessageRetentionPeriod * 1000 <= now;
}

/** FIFO: a handle is good while its receive lasts. */
function isStale(slot: Slot, receiveNumber: number, now: number): boolean {
  return slot.receiveCount !== receiveNumber || slot.state !== "inFlight" || slot.visibleAt <= now;
}

function changeOne(
  row: QueueRow,
  lane: Lane,
  now: number,
  receiptHandle: string,
  timeoutMs: number,
): BatchOutcome["error"] {
  if (!(timeoutMs >= 0 && timeoutMs <= LONGEST_VISIBILITY_SECONDS * 1000))
    return entryRefusals.visibilityRange(timeoutMs / 1000);
  const receipt = parseReceipt(receiptHandle);
  if (receipt?.queueId !== row.id) return entryRefusals.invalidHandle(receiptHandle);
  const found = lane.inPack(receipt, receipt.index, receipt.tail);
  if (!found || isExpired(row, found, now)) return entryRefusals.notThere(receiptHandle);
  const slot = found.pack.slot(found.index);
  if (isFifo(row) && isStale(slot, receipt.receiveNumber, now))
    return entryRefusals.handleExpired(receiptHandle);
  if (now - slot.receivedAt + timeoutMs > LONGEST_VISIBILITY_SECONDS * 1000)
    return entryRefusals.visibilityTotal(timeoutMs / 1000);
  lane.replace(found, { ...slot, ...hidden(now, timeoutMs), changed: true });
  return undefined;
}
