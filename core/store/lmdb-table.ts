import type { Database, Key } from "lmdb";
import { InvariantError } from "../contracts/index.js";
import type { KeyRange, Table } from "../queue/index.js";
import { type Drafted, type DraftTable, nameOf } from "./draft.js";
import { sealedValue, unsealed } from "./sealed-value.js";

export interface Codec<V> {
  encode(value: V): Buffer;
  decode(bytes: Buffer): V;
}

/** Of one table, whoever has opened it. */
export interface TableParts {
  readonly name: string;
  readonly database: Database<Buffer, Key>;
  readonly draft: DraftTable;
}

/** Writes what is drafted into the LMDB transaction that is open. Returns how many values were put. */
export function writeDraft({ database, draft }: TableParts): number {
  let puts = 0;
  for (const { key, sealed } of draft.all()) {
    if (sealed) {
      database.putSync(key, sealed);
      puts += 1;
    } else database.removeSync(key);
  }
  return puts;
}

/**
 * One table: what LMDB holds, under what the works of the present commit have drafted. Values are kept sealed
 * (sealed-value.ts).
 */
export class LmdbTable<V> implements Table<V> {
  readonly #name: string;
  readonly #database: Database<Buffer, Key>;
  readonly #codec: Codec<V>;
  readonly #draft: DraftTable;
  readonly #beforeChange: () => void;

  constructor({ name, database, draft }: TableParts, codec: Codec<V>, beforeChange: () => void) {
    this.#name = name;
    this.#database = database;
    this.#codec = codec;
    this.#draft = draft;
    this.#beforeChange = beforeChange;
  }

  get(key: Buffer): V | undefined {
    const drafted = this.#draft.get(key);
    if (drafted) return this.#draftedValue(drafted);
    const bytes = this.#database.get(key);
    return bytes && this.#codec.decode(unsealed(this.#name, key, bytes));
  }

  has(key: Buffer): boolean {
    const drafted = this.#draft.get(key);
    return drafted ? drafted.sealed !== undefined : this.#database.doesExist(key);
  }

  put(key: Buffer, value: V): void {
    this.#beforeChange();
    if (key.length > LONGEST_KEY)
      throw new InvariantError("KEY_TOO_LONG", `a key of table ${this.#name} has ${key.length} bytes`);
    this.#draft.put(key, this.#codec.encode(value));
  }

  remove(key: Buffer): void {
    this.#beforeChange();
    this.#draft.remove(key);
  }

  keys(range: KeyRange): Buffer[] {
    if (!this.#draft.isEmpty()) return this.#merged(range).map(({ key }) => key);
    const keys: Buffer[] = [];
    for (const key of this.#database.getKeys(bounds(range))) keys.push(bytesOf(key));
    return keys;
  }

  entries(range: KeyRange): { key: Buffer; value: V }[] {
    if (!this.#draft.isEmpty()) return this.#merged(range).map(({ key, value }) => ({ key, value: value() }));
    const entries: { key: Buffer; value: V }[] = [];
    for (const { key, value } of this.#database.getRange(bounds(range))) {
      const own = bytesOf(key);
      entries.push({ key: own, value: this.#codec.decode(unsealed(this.#name, own, value)) });
    }
    return entries;
  }

  #draftedValue({ sealed }: Drafted): V | undefined {
    // A copy: the draft's memory is used again.
    return sealed && this.#codec.decode(Buffer.from(sealedValue(sealed)));
  }

  /** Two walks side by side; where both stand at the same key, the draft is right. */
  #merged(range: KeyRange): { key: Buffer; value: () => V }[] {
    const { limit, reverse = false } = range;
    const found: { key: Buffer; value: () => V }[] = [];
    if (limit <= 0) return found;
    const drafted = this.#draft.within(range);
    let draft = drafted.next();
    /** Takes what is drafted before `name`, at it, or all that is left; true when `name` itself is drafted. */
    const draftUpTo = (name: string | undefined): boolean => {
      while (!draft.done && found.length < limit) {
        const [at, { key, sealed }] = draft.value;
        if (name !== undefined && (reverse ? at < name : at > name)) return false;
        if (sealed) found.push({ key, value: () => this.#codec.decode(Buffer.from(sealedValue(sealed))) });
        draft = drafted.next();
        if (at === name) return true;
      }
      return false;
    };
    for (const stored of this.#database.getKeys(bounds({ ...range, limit: undefined }))) {
      const key = bytesOf(stored);
      const isDrafted = draftUpTo(nameOf(key));
      if (found.length >= limit) return found;
      if (!isDrafted) found.push({ key, value: () => this.#stored(key) });
      if (found.length >= limit) return found;
    }
    draftUpTo(undefined);
    return found;
  }

  #stored(key: Buffer): V {
    const bytes = this.#database.get(key);
    if (!bytes) throw new InvariantError("KEY_GONE", `a key of table ${this.#name} went while it was read`);
    return this.#codec.decode(unsealed(this.#name, key, bytes));
  }
}

/** LMDB's, with pages of 4 KiB. */
const LONGEST_KEY = 1978;

function bounds({
  from,
  to,
  limit,
  reverse,
}: Omit<KeyRange, "limit"> & { readonly limit: number | undefined }) {
  const most = limit === undefined ? {} : { limit };
  if (reverse) return { start: to, end: from, reverse, exclusiveStart: true, inclusiveEnd: true, ...most };
  return { start: from, end: to, ...most };
}

/** A copy: lmdb-js reuses the memory it hands keys out in. */
function bytesOf(key: Key): Buffer {
  if (key instanceof Uint8Array) return Buffer.from(key);
  throw new InvariantError("KEY_TYPE", "a table handed out a key that is not bytes");
}
