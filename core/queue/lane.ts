import { InvariantError } from "../contracts/index.js";
import { type Content, damaged, decodeContent, encodeContent, type PackContent } from "./content.js";
import { Groups } from "./groups.js";
import {
  hiddenKey,
  hiddenPlace,
  laneEnd,
  laneKey,
  laneStart,
  type Place,
  placeAfter,
  placeAt,
  placeBehind,
  placeBytes,
  placeKey,
  placeOf,
  textKey,
  timeAfter,
  timeOf,
} from "./keys.js";
import { MOST_IN_PACK, Pack, type Slot, type State } from "./pack.js";
import { ReadyWindow } from "./ready-window.js";
import { Repeats } from "./repeats.js";
import type { QueueTables } from "./rows.js";
import { Tenants } from "./tenants.js";
import { decodeTotals, emptyTotals, encodeTotals, type Totals } from "./totals.js";

/** Index entries say all with their key. */
const MARK = Buffer.from([1]);

/** Of one message without its body. */
const CONTENT_BYTES = 300;

/** Packs held at once while going through many. */
const PIECE = 200;

/** One message: the pack it lies in, and which of its messages it is. */
export interface Found {
  readonly pack: Pack;
  readonly index: number;
}

/**
 * One lane inside a transaction: packs, their indexes and the totals, changed together. Open it, work, and `save`: a
 * pack is written once, however many of its messages were touched. What was saved the next work finds here again
 * (lanes.ts), so that a message that is soon received and deleted is not read from the tables. Outside a transaction
 * only the methods that read may be used.
 */
export class Lane {
  readonly id: number;
  readonly fifo: boolean;
  readonly totals: Totals;
  readonly #tables: QueueTables;
  /** By sequence number of the first message. */
  readonly #packs = new Map<number, Pack>();
  readonly #contents = new Map<number, PackContent>();
  #contentBytes = 0;
  readonly #ready: ReadyWindow;
  /** Packs to be written. */
  readonly #changed = new Set<Pack>();
  #caughtUp = false;
  #groups: Groups | undefined;
  #repeats: Repeats | undefined;
  #tenants: Tenants | undefined;

  constructor(tables: QueueTables, lane: number, fifo: boolean) {
    this.#tables = tables;
    this.id = lane;
    this.fifo = fifo;
    this.#ready = new ReadyWindow(tables.ready, lane);
    const stored = tables.totals.get(laneKey(lane));
    this.totals = stored ? decodeTotals(stored) : emptyTotals();
  }

  /** Made when first asked for: most lanes know no groups. */
  get groups(): Groups {
    this.#groups ??= new Groups(this.#tables, this.id, this.totals);
    return this.#groups;
  }

  get repeats(): Repeats {
    this.#repeats ??= new Repeats(this.#tables, this.id);
    return this.#repeats;
  }

  get tenants(): Tenants {
    this.#tenants ??= new Tenants(this.#tables, this.id);
    return this.#tenants;
  }

  /** Writes every pack that was changed, and the totals. */
  save(): void {
    for (const pack of this.#changed) this.#savePack(pack);
    this.#changed.clear();
    this.#groups?.save((place) => this.#isReady(place));
    this.#tenants?.save();
    if (this.#caughtUp) {
      this.totals.nextDue = this.nextDue() ?? Number.POSITIVE_INFINITY;
      this.totals.oldest = this.#oldest()?.order ?? Number.POSITIVE_INFINITY;
      this.#caughtUp = false;
    }
    this.#tables.totals.put(laneKey(this.id), encodeTotals(this.totals));
  }

  /** Lets go of what was met first, between works: while something is not saved a pack must not be read again. */
  trim(mostPacks: number, mostContentBytes: number): void {
    if (this.#changed.size > 0) return;
    for (const sequence of this.#packs.keys()) {
      if (this.#packs.size <= mostPacks && this.#contentBytes <= mostContentBytes) return;
      this.#leave(sequence);
    }
  }

  /** Puts messages that were sent together; at most MOST_IN_PACK, one in a FIFO queue. Their bodies are in place. */
  add(place: Place, slots: readonly Slot[], content: PackContent): Pack {
    const pack = Pack.of(place, slots, content.group !== undefined);
    const { totals } = this;
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]!;
      totals.bytes += slot.bytes;
      totals.records += slot.records;
      this.#count(slot.state, slot.visibleAt, 1);
      const { id } = content.messages[index] ?? {};
      if (id !== undefined) this.#tables.aliases.put(textKey(this.id, id), placeBytes(pack.placeOf(index)));
    }
    totals.lastOrder = Math.max(totals.lastOrder, place.order);
    totals.oldest = Math.min(totals.oldest, place.order);
    if (pack.grouped) totals.grouped += 1;
    this.#packs.set(place.sequence, pack);
    this.#changed.add(pack);
    const encoded = encodeContent(content);
    this.#keepContent(place.sequence, encoded.content);
    this.#tables.packs.put(placeKey(this.id, place), encoded.bytes);
    if (this.fifo) this.groups.add(groupOf(content), place);
    return pack;
  }

  /** Time has been caught up with: `save` finds out what it overtakes next. */
  caughtUp(): void {
    this.#caughtUp = true;
  }

  /** Moves a message into another state, or keeps its state and changes the rest. */
  replace({ pack, index }: Found, slot: Slot): void {
    const before = pack.state(index);
    pack.write(index, slot);
    this.#moved(pack, before, slot.state, slot.visibleAt);
  }

  /** A receive, or a claim, which counts 0; `holdMs` 0 leaves the message visible. */
  take({ pack, index }: Found, counts: 0 | 1, now: number, holdMs: number): void {
    const before = pack.state(index);
    const after = holdMs > 0 ? "inFlight" : "ready";
    pack.take(index, after, counts, now, now + holdMs);
    this.#moved(pack, before, after, now + holdMs);
  }

  /** Makes the hidden messages of a pack visible whose time has come. Their `visibleAt` stays as it is. */
  surface(pack: Pack, now: number): void {
    for (let index = 0; index < pack.count; index++) {
      const state = pack.state(index);
      if (state === "ready" || state === "gone" || pack.visibleAt(index) > now) continue;
      pack.writeState(index, "ready");
      this.#moved(pack, state, "ready", 0);
    }
  }

  /** Removes a pack whatever its messages, of a lane that is being emptied: totals and groups go with the lane. */
  forget({ place }: Pack): void {
    const key = placeKey(this.id, place);
    this.#tables.states.remove(key);
    this.#tables.packs.remove(key);
    this.#leave(place.sequence);
  }

  /** Takes a message out; its body is the caller's business. */
  drop({ pack, index }: Found): void {
    const before = pack.state(index);
    this.totals.bytes -= pack.bytesOf(index);
    this.totals.records -= pack.recordsOf(index);
    pack.writeState(index, "gone");
    this.#moved(pack, before, "gone", 0);
    if (!this.fifo) return;
    const { id } = this.content({ pack, index });
    if (id !== undefined) this.#tables.aliases.remove(textKey(this.id, id));
    this.groups.drop(this.group(pack), pack.place);
  }

  /** The message of that place, unless it is gone; also when it lies in the middle of a pack. */
  at(place: Place, tail: number): Found | undefined {
    const from = placeKey(this.id, {
      order: place.order,
      sequence: Math.max(0, place.sequence - MOST_IN_PACK + 1),
    });
    const to = placeBehind(this.id, place);
    const [key] = this.#tables.states.keys({ from, to, limit: 1, reverse: true });
    const pack = key && this.pack(placeOf(key));
    return pack && this.#only(pack, place.sequence - pack.place.sequence, tail);
  }

  /** The same where the place of the pack is known. */
  inPack(place: Place, index: number, tail: number): Found | undefined {
    const pack = this.pack({ order: place.order, sequence: place.sequence - index });
    return pack && this.#only(pack, index, tail);
  }

  /** By the id of a message that does not carry its place. */
  aliased(id: string): Place | undefined {
    const value = this.#tables.aliases.get(textKey(this.id, id));
    return value && placeAt(value, 0);
  }

  pack(place: Place): Pack | undefined {
    const known = this.#packs.get(place.sequence);
    if (known) return known;
    const bytes = this.#tables.states.get(placeKey(this.id, place));
    if (!bytes) return undefined;
    const pack = Pack.read(place, bytes);
    this.#packs.set(place.sequence, pack);
    return pack;
  }

  /** What was sent. */
  packContent(pack: Pack): PackContent {
    const known = this.#contents.get(pack.place.sequence);
    if (known) return known;
    const bytes = this.#tables.packs.get(placeKey(this.id, pack.place));
    if (!bytes) throw damaged("A message has a state but no content.", `sequence ${pack.place.sequence}`);
    const content = decodeContent(bytes);
    this.#keepContent(pack.place.sequence, content);
    return content;
  }

  content({ pack, index }: Found): Content {
    const content = this.packContent(pack).messages[index];
    if (!content)
      throw damaged("A message has a state but no content.", `sequence ${pack.place.sequence + index}`);
    return content;
  }

  /** The message group id of a grouped pack. */
  group(pack: Pack): string {
    return groupOf(this.packContent(pack));
  }

  /** Packs with a visible message and no group, in order of sending, from a place on. */
  ready(from: Place, limit: number): Pack[] {
    return this.#ready.from(from, limit).map((place) => this.#indexed(place));
  }

  /** Packs in order of sending, from a key (inclusive) to a key (exclusive), a piece at a time. */
  *everyPack(from: Buffer, to: Buffer): Generator<Pack> {
    for (let start = from; ; ) {
      const keys = this.#tables.states.keys({ from: start, to, limit: PIECE });
      yield* this.#existing(keys);
      const last = keys.at(-1);
      if (!last || keys.length < PIECE) return;
      start = placeBehind(this.id, placeOf(last));
    }
  }

  /** Packs that may have a hidden message whose time has come, a piece at a time; one may come twice. */
  *everyDue(now: number): Generator<Pack> {
    if (now < this.totals.nextDue) return;
    const to = timeAfter(this.id, now);
    for (let from = laneStart(this.id); ; ) {
      const keys = this.#tables.hidden.keys({ from, to, limit: PIECE });
      yield* this.#existing(keys, hiddenPlace);
      const last = keys.at(-1);
      if (!last || keys.length < PIECE) return;
      const place = hiddenPlace(last);
      from = hiddenKey(this.id, timeOf(last), { ...place, sequence: place.sequence + 1 });
    }
  }

  /** When the next hidden message becomes visible; undefined when none is hidden. */
  nextDue(): number | undefined {
    const range = { from: laneKey(this.id), to: laneEnd(this.id), limit: 1 };
    const [key] = this.#tables.hidden.keys(range);
    return key && timeOf(key);
  }

  /** Oldest message sent after `order`, or undefined. */
  oldestAfter(order: number): Pack | undefined {
    const range = { from: placeAfter(this.id, order), to: laneEnd(this.id), limit: 1 };
    return this.#existing(this.#tables.states.keys(range))[0];
  }

  /** Time has overtaken a message that no write has moved or removed yet. */
  isOverdue(now: number, retentionMs: number): boolean {
    return now >= this.totals.nextDue || this.totals.oldest + retentionMs <= now;
  }

  #oldest(): Place | undefined {
    const [key] = this.#tables.states.keys({ from: laneKey(this.id), to: laneEnd(this.id), limit: 1 });
    return key && placeOf(key);
  }

  #existing(keys: readonly Buffer[], place: (key: Buffer) => Place = placeOf): Pack[] {
    return keys.map((key) => this.#indexed(place(key)));
  }

  #indexed(place: Place): Pack {
    const pack = this.pack(place);
    if (!pack) throw damaged("An index names a message that is not there.", `sequence ${place.sequence}`);
    return pack;
  }

  #only(pack: Pack, index: number, tail: number): Found | undefined {
    if (index < 0 || index >= pack.count) return undefined;
    return pack.state(index) === "gone" || pack.tail(index) !== tail ? undefined : { pack, index };
  }

  #moved(pack: Pack, before: State, after: State, visibleAt: number): void {
    this.#changed.add(pack);
    this.#count(before, 0, -1);
    this.#count(after, visibleAt, 1);
    if (this.fifo) this.groups.touch(this.group(pack));
    else if (pack.grouped) {
      const change = (after === "inFlight" ? 1 : 0) - (before === "inFlight" ? 1 : 0);
      if (change !== 0) this.tenants.add(this.group(pack), change);
    }
  }

  #count(state: State, visibleAt: number, change: 1 | -1): void {
    if (state === "gone") return;
    const { totals } = this;
    if (state === "ready") totals.ready += change;
    else if (state === "inFlight") totals.inFlight += change;
    else totals.delayed += change;
    if (change === 1 && state !== "ready" && visibleAt < totals.nextDue) totals.nextDue = visibleAt;
  }

  #keepContent(sequence: number, content: PackContent): void {
    this.#contents.set(sequence, content);
    this.#contentBytes += contentBytes(content);
  }

  #leave(sequence: number): void {
    this.#packs.delete(sequence);
    const content = this.#contents.get(sequence);
    if (content === undefined) return;
    this.#contents.delete(sequence);
    this.#contentBytes -= contentBytes(content);
  }

  #isReady(place: Place): boolean {
    return this.pack(place)?.state(0) === "ready";
  }

  #savePack(pack: Pack): void {
    const changes = pack.changes();
    if (!changes) return;
    const { before, after } = changes;
    const key = placeKey(this.id, pack.place);
    if (before.visible !== after.visible && !this.fifo) {
      if (pack.grouped) this.tenants.show(this.group(pack), pack.place, after.visible);
      else if (after.visible) this.#ready.put(pack.place);
      else this.#ready.remove(pack.place);
    }
    for (const until of before.hiddenUntil)
      if (!after.hiddenUntil.includes(until))
        this.#tables.hidden.remove(hiddenKey(this.id, until, pack.place));
    for (const until of after.hiddenUntil)
      if (!before.hiddenUntil.includes(until))
        this.#tables.hidden.put(hiddenKey(this.id, until, pack.place), MARK);
    if (after.empty) {
      this.#tables.states.remove(key);
      this.#tables.packs.remove(key);
      if (pack.grouped) this.totals.grouped -= 1;
      this.#leave(pack.place.sequence);
    } else this.#tables.states.put(key, pack.encoded());
    pack.saved();
  }
}

/** About what it takes in memory. */
function contentBytes({ messages }: PackContent): number {
  let bytes = 0;
  for (const { body } of messages) bytes += CONTENT_BYTES + (body?.length ?? 0);
  return bytes;
}

function groupOf({ group }: PackContent): string {
  if (group === undefined) throw new InvariantError("NO_GROUP", "a grouped pack has no message group id");
  return group;
}
