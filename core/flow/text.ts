/** Text in characters as people count them: Unicode code points. A lone surrogate counts as one. */

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

export function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 1; at < text.length; at++)
    if (isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1))) count--;
  return count;
}

/** Index behind the first `count` characters. */
function indexAfter(text: string, count: number): number {
  let at = 0;
  for (let seen = 0; seen < count && at < text.length; seen++)
    at += isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1)) ? 2 : 1;
  return at;
}

/** The first `count` characters; never half a surrogate pair. */
export function truncateText(text: string, count: number): string {
  return text.length <= count ? text : text.slice(0, indexAfter(text, count));
}

export type Mask = "all" | { readonly first: number } | { readonly last: number };

/** One `*` for each masked character; the number of characters stays. */
export function maskText(text: string, mask: Mask): string {
  const length = countCharacters(text);
  if (mask === "all") return "*".repeat(length);
  if ("first" in mask) {
    const count = Math.min(mask.first, length);
    return "*".repeat(count) + text.slice(indexAfter(text, count));
  }
  const count = Math.min(mask.last, length);
  return text.slice(0, indexAfter(text, length - count)) + "*".repeat(count);
}

/** Lone surrogates, which no UTF-8 file can hold, become U+FFFD: for reasons and messages, never for data. */
export function wellFormed(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, "\uFFFD");
}

/** Order by code point, which is also the order of the UTF-8 bytes; JavaScript's `<` differs beyond U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    const xSurrogate = isHigh(x) || isLow(x);
    const ySurrogate = isHigh(y) || isLow(y);
    return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
  }
  return a.length - b.length;
}
