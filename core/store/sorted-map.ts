/** Entries of a piece before it is split in two. */
const PIECE = 512;

interface Piece<V> {
  readonly keys: string[];
  readonly values: V[];
}

/**
 * A map in key order: a list of sorted pieces, so that an insertion moves at most one piece's entries. Keys are text
 * of one character per byte (latin1), whose order is the order of the bytes.
 */
export class SortedMap<V> {
  #pieces: Piece<V>[] = [{ keys: [], values: [] }];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#pieces = [{ keys: [], values: [] }];
    this.#size = 0;
  }

  /** In key order. */
  *values(): Generator<V> {
    for (const { values } of this.#pieces) yield* values;
  }

  get(key: string): V | undefined {
    const piece = this.#pieces[this.#pieceOf(key)];
    if (!piece) return undefined;
    const at = lowerBound(piece.keys, key);
    return piece.keys[at] === key ? piece.values[at] : undefined;
  }

  /** Returns what was there before. */
  set(key: string, value: V): V | undefined {
    const index = this.#pieceOf(key);
    const piece = this.#pieces[index];
    if (!piece) return undefined;
    const { keys, values } = piece;
    const at = lowerBound(keys, key);
    if (keys[at] === key) {
      const before = values[at];
      values[at] = value;
      return before;
    }
    this.#size += 1;
    if (at === keys.length) {
      keys.push(key);
      values.push(value);
    } else {
      keys.splice(at, 0, key);
      values.splice(at, 0, value);
    }
    if (keys.length <= PIECE) return undefined;
    const half = PIECE / 2;
    this.#pieces.splice(index + 1, 0, { keys: keys.splice(half), values: values.splice(half) });
    return undefined;
  }

  delete(key: string): boolean {
    const index = this.#pieceOf(key);
    const piece = this.#pieces[index];
    if (!piece) return false;
    const at = lowerBound(piece.keys, key);
    if (piece.keys[at] !== key) return false;
    this.#size -= 1;
    piece.keys.splice(at, 1);
    piece.values.splice(at, 1);
    if (piece.keys.length === 0 && this.#pieces.length > 1) this.#pieces.splice(index, 1);
    return true;
  }

  /** Entries from `from` (inclusive) to `to` (exclusive), upwards. */
  *up(from: string, to: string): Generator<readonly [string, V]> {
    for (let index = this.#pieceOf(from); index < this.#pieces.length; index++) {
      const piece = this.#pieces[index];
      if (!piece) return;
      for (let at = lowerBound(piece.keys, from); at < piece.keys.length; at++) {
        const key = piece.keys[at] ?? "";
        if (key >= to) return;
        const value = piece.values[at];
        if (value !== undefined) yield [key, value];
      }
    }
  }

  /** Entries below `to` (exclusive) down to `from` (inclusive). */
  *down(from: string, to: string): Generator<readonly [string, V]> {
    for (let index = this.#pieceOf(to); index >= 0; index--) {
      const piece = this.#pieces[index];
      if (!piece) return;
      for (let at = lowerBound(piece.keys, to) - 1; at >= 0; at--) {
        const key = piece.keys[at] ?? "";
        if (key < from) return;
        const value = piece.values[at];
        if (value !== undefined) yield [key, value];
      }
    }
  }

  /** The last piece that begins at or before the key; the first one when none does. */
  #pieceOf(key: string): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#pieces[middle]?.keys[0] ?? "") <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  // What is new is mostly the last.
  if (high > 0 && keys[high - 1]! < key) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
