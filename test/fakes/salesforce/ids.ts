/**
 * Salesforce record ids: 15 case-sensitive characters, and a 16th to 18th that make the id safe in systems that
 * fold case. Each suffix character tells which of five characters are upper case.
 */
const SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/** In ASCII order, so that a later number is a greater id, byte by byte. */
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The 18-character form of a 15-character id. */
export function id18(id15: string): string {
  let suffix = "";
  for (let group = 0; group < 15; group += 5) {
    let bits = 0;
    for (let at = 0; at < 5; at++) {
      const code = id15.charCodeAt(group + at);
      if (code >= 65 && code <= 90) bits |= 1 << at;
    }
    suffix += SUFFIX[bits];
  }
  return id15 + suffix;
}

/** The id of the n-th record of an object: `keyPrefix` (3), instance and reserved characters, a base-62 counter. */
export function recordId(keyPrefix: string, n: number): string {
  let rest = n;
  let digits = "";
  for (let at = 0; at < 7; at++) {
    digits = BASE62[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return id18(`${keyPrefix}5g000${digits}`);
}

/** A well-formed id in its 18-character form; undefined for anything else (wrong length, letters or checksum). */
export function parseId(text: string): string | undefined {
  if (!/^[0-9A-Za-z]{15}([0-9A-Za-z]{3})?$/.test(text)) return undefined;
  const full = id18(text.slice(0, 15));
  return text.length === 15 || full === text ? full : undefined;
}
