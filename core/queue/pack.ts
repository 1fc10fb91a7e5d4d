import { InvariantError } from "../contracts/index.js";
import { readU32, readU48, writeU32, writeU48 } from "./big-endian.js";
import type { Place } from "./keys.js";

/**
 * What has become of a message. A hidden one whose time has come may still be called so until the next write to the
 * queue notices.
 *
 *                 send                 receive, claim
 *   (none) ------------------> ready -----------------> inFlight
 *      |  send with delay        ^                          |
 *      +------> delayed ---------+--- settle: time came ----+
 *   any ---- delete, expiry, move to the dead-letter queue ----> gone
 */
export type State = "gone" | "ready" | "inFlight" | "delayed";

const STATES: readonly State[] = ["gone", "ready", "inFlight", "delayed"];

/** Where a body lies: in the pack, in `bodies`, or in a claim check. */
export type BodyPlace = "packed" | "apart" | "blob";

const BODY_PLACES: readonly BodyPlace[] = ["packed", "apart", "blob"];

/** The part of a message that changes. */
export interface Slot {
  readonly state: State;
  /** The random bits of its id. */
  readonly tail: number;
  readonly receiveCount: number;
  /** Epoch ms; 0: never received. */
  readonly firstReceivedAt: number;
  /** Of the last receive or claim; the twelve hours count from here. */
  readonly receivedAt: number;
  /** 0: never hidden. */
  readonly visibleAt: number;
  readonly bytes: number;
  readonly records: number;
  /** The receiver has set another visibility timeout since it received: a repeated receive attempt is over. */
  readonly changed: boolean;
  readonly body: BodyPlace;
}

/*
 * A pack's states are one value of fixed width, since every receive and delete rewrites it:
 *   flags u8, then for each message
 *   state, place of the body and `changed` u8 | tail u32 | receive count u32 | first received u48 | received u48 | visible at u48 | bytes u32 | records u48
 */
const FLAG_BYTES = 1;
const SLOT_BYTES = 37;
const GROUPED = 1;
/* Of the state byte. */
const STATE_BITS = 0x03;
const BODY_SHIFT = 2;
const CHANGED = 0x80;

export const MOST_IN_PACK = 10;

/** The indexes a pack stands in. */
interface Standing {
  readonly visible: boolean;
  readonly hiddenUntil: readonly number[];
  readonly empty: boolean;
}

const NOWHERE: Standing = { visible: false, hiddenUntil: [], empty: true };

/** The states of up to ten messages that were sent together. */
export class Pack {
  /** Of its first message. */
  readonly place: Place;
  readonly count: number;
  readonly #bytes: Buffer;
  #before: Standing | undefined;

  private constructor(place: Place, bytes: Buffer, before: Standing | undefined) {
    this.place = place;
    this.#bytes = bytes;
    this.count = (bytes.length - FLAG_BYTES) / SLOT_BYTES;
    this.#before = before;
    if (!Number.isInteger(this.count))
      throw new InvariantError("PACK_LENGTH", `the states of pack ${place.sequence} have a broken length`);
  }

  /** One that is not stored yet. */
  static of(place: Place, slots: readonly Slot[], grouped: boolean): Pack {
    const bytes = Buffer.allocUnsafe(FLAG_BYTES + slots.length * SLOT_BYTES);
    bytes[0] = grouped ? GROUPED : 0;
    const pack = new Pack(place, bytes, NOWHERE);
    for (let index = 0; index < slots.length; index++) pack.#write(index, slots[index]!);
    return pack;
  }

  /** `bytes` becomes the pack's own. */
  static read(place: Place, bytes: Buffer): Pack {
    return new Pack(place, bytes, undefined);
  }

  /** Its messages carry a message group id (the same one). */
  get grouped(): boolean {
    return (this.#bytes[0]! & GROUPED) !== 0;
  }

  placeOf(index: number): Place {
    return { order: this.place.order, sequence: this.place.sequence + index };
  }

  state(index: number): State {
    return STATES[this.#bytes[offset(index)]! & STATE_BITS] ?? "gone";
  }

  bodyPlace(index: number): BodyPlace {
    return BODY_PLACES[(this.#bytes[offset(index)]! >> BODY_SHIFT) & STATE_BITS] ?? "packed";
  }

  tail(index: number): number {
    return readU32(this.#bytes, offset(index) + 1);
  }

  visibleAt(index: number): number {
    return readU48(this.#bytes, offset(index) + 21);
  }

  receiveCount(index: number): number {
    return readU32(this.#bytes, offset(index) + 5);
  }

  /** 0: never. */
  firstReceivedAt(index: number): number {
    return readU48(this.#bytes, offset(index) + 9);
  }

  bytesOf(index: number): number {
    return readU32(this.#bytes, offset(index) + 27);
  }

  recordsOf(index: number): number {
    return readU48(this.#bytes, offset(index) + 31);
  }

  slot(index: number): Slot {
    const at = offset(index);
    const bytes = this.#bytes;
    return {
      state: this.state(index),
      body: this.bodyPlace(index),
      changed: (bytes[at]! & CHANGED) !== 0,
      tail: readU32(bytes, at + 1),
      receiveCount: readU32(bytes, at + 5),
      firstReceivedAt: readU48(bytes, at + 9),
      receivedAt: readU48(bytes, at + 15),
      visibleAt: readU48(bytes, at + 21),
      bytes: readU32(bytes, at + 27),
      records: readU48(bytes, at + 31),
    };
  }

  /** Through Lane only, which keeps the totals. */
  write(index: number, slot: Slot): void {
    this.#touch();
    this.#write(index, slot);
  }

  /** Through Lane only: a receive (`counts` 1), or a claim, which is no receive (0). */
  take(index: number, state: "inFlight" | "ready", counts: 0 | 1, now: number, visibleAt: number): void {
    this.#touch();
    const at = offset(index);
    const bytes = this.#bytes;
    bytes[at] = (bytes[at]! & ~(STATE_BITS | CHANGED)) | STATES.indexOf(state) | (counts === 0 ? CHANGED : 0);
    if (counts === 1) {
      writeU32(bytes, readU32(bytes, at + 5) + 1, at + 5);
      if (readU48(bytes, at + 9) === 0) writeU48(bytes, now, at + 9);
    }
    writeU48(bytes, now, at + 15);
    writeU48(bytes, visibleAt, at + 21);
  }

  /** Through Lane only. */
  writeState(index: number, state: State): void {
    this.#touch();
    const at = offset(index);
    this.#bytes[at] = (this.#bytes[at]! & ~STATE_BITS) | STATES.indexOf(state);
  }

  /** The stored value. */
  encoded(): Buffer {
    return this.#bytes;
  }

  /** Where it stood in the store, and where it stands now; undefined when nothing was changed. */
  changes(): { readonly before: Standing; readonly after: Standing } | undefined {
    return this.#before && { before: this.#before, after: this.#standing() };
  }

  saved(): void {
    this.#before = undefined;
  }

  #touch(): void {
    this.#before ??= this.#standing();
  }

  #standing(): Standing {
    const hiddenUntil: number[] = [];
    let visible = false;
    for (let index = 0; index < this.count; index++) {
      const state = this.state(index);
      if (state === "ready") visible = true;
      else if (state !== "gone") {
        const until = this.visibleAt(index);
        if (!hiddenUntil.includes(until)) hiddenUntil.push(until);
      }
    }
    return {
      visible,
      hiddenUntil,
      empty: !visible && hiddenUntil.length === 0,
    };
  }

  #write(index: number, slot: Slot): void {
    const at = offset(index);
    const bytes = this.#bytes;
    bytes[at] =
      STATES.indexOf(slot.state) |
      (BODY_PLACES.indexOf(slot.body) << BODY_SHIFT) |
      (slot.changed ? CHANGED : 0);
    writeU32(bytes, slot.tail, at + 1);
    writeU32(bytes, slot.receiveCount, at + 5);
    writeU48(bytes, slot.firstReceivedAt, at + 9);
    writeU48(bytes, slot.receivedAt, at + 15);
    writeU48(bytes, slot.visibleAt, at + 21);
    writeU32(bytes, slot.bytes, at + 27);
    writeU48(bytes, slot.records, at + 31);
  }
}

function offset(index: number): number {
  return FLAG_BYTES + index * SLOT_BYTES;
}
