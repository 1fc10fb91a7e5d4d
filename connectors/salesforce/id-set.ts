/*
 * The ids handed out from a job, small enough to stand in a cursor: a job that is lost is made anew in another order, and
 * only a list of what came already keeps its rows from coming twice.
 *
 * A piece is one page's ids as text: the seven characters that ids of one object and instance share, a colon, and the
 * sorted numbers of the other eight (base 62) as differences in base64 of a variable length; groups joined by commas.
 * That is one to three bytes for an id. The checksum in the last three characters follows from the rest and is left out.
 */

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const VALUE = new Int8Array(128).fill(-1);
for (let n = 0; n < DIGITS.length; n++) VALUE[DIGITS.charCodeAt(n)] = n;

/** Where the numbered part of a 15 or 18 character id begins and ends. */
const HEAD = 7;
const END = 15;

/** The piece for these ids; undefined where one of them is no id. */
export function idPiece(ids: readonly string[]): string | undefined {
  const groups = new Map<string, number[]>();
  for (const id of ids) {
    const number = numberOf(id);
    if (number === undefined) return undefined;
    const head = id.slice(0, HEAD);
    const group = groups.get(head);
    if (group === undefined) groups.set(head, [number]);
    else group.push(number);
  }
  return [...groups].map(([head, numbers]) => `${head}:${packed(numbers)}`).join(",");
}

/** Eight digits of base 62 stay below 2^48. */
function numberOf(id: string): number | undefined {
  if (id.length !== 18 && id.length !== 15) return undefined;
  let number = 0;
  for (let at = HEAD; at < END; at++) {
    const value = VALUE[id.charCodeAt(at)] ?? -1;
    if (value < 0) return undefined;
    number = number * DIGITS.length + value;
  }
  return number;
}

function packed(numbers: readonly number[]): string {
  const sorted = Float64Array.from(numbers).sort();
  const bytes = Buffer.allocUnsafe(sorted.length * 7);
  let length = 0;
  let before = 0;
  for (const number of sorted) {
    let rest = number - before;
    before = number;
    while (rest >= 0x80) {
      bytes[length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[length++] = rest;
  }
  return bytes.toString("base64", 0, length);
}

function unpacked(text: string): number[] {
  const numbers: number[] = [];
  let before = 0;
  let rest = 0;
  let weight = 1;
  for (const byte of Buffer.from(text, "base64")) {
    rest += (byte & 0x7f) * weight;
    weight *= 0x80;
    if (byte >= 0x80) continue;
    before += rest;
    numbers.push(before);
    rest = 0;
    weight = 1;
  }
  return numbers;
}

/** Which ids the pieces hold. */
export class IdSet {
  readonly #groups = new Map<string, Float64Array>();

  constructor(pieces: readonly string[]) {
    const groups = new Map<string, number[][]>();
    for (const group of pieces.flatMap((piece) => (piece === "" ? [] : piece.split(",")))) {
      const head = group.slice(0, HEAD);
      const known = groups.get(head) ?? [];
      groups.set(head, known);
      known.push(unpacked(group.slice(HEAD + 1)));
    }
    for (const [head, numbers] of groups) this.#groups.set(head, Float64Array.from(numbers.flat()).sort());
  }

  has(id: string): boolean {
    const group = this.#groups.get(id.slice(0, HEAD));
    const wanted = numberOf(id);
    if (group === undefined || wanted === undefined) return false;
    let low = 0;
    let high = group.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((group[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return group[low] === wanted;
  }
}
