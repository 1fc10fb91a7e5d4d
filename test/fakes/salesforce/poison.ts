import type { Poison } from "./fault-script.js";

export interface PoisonOptions {
  readonly poison: Poison;
  readonly record?: number;
  readonly field?: string;
  readonly size?: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);

/**
 * The body of a page with one record damaged. Works on the bytes, so that it can make what no JSON writer would.
 * A body without records comes back as it was.
 */
export function poisonPage(body: Buffer, options: PoisonOptions): Buffer {
  const marker = body.indexOf('"records":[');
  if (marker < 0) return body;
  let at = marker + '"records":['.length;
  for (let n = 0; body[at] === 0x7b; n++) {
    const end = valueEnd(body, at);
    if (n === (options.record ?? 0)) {
      return Buffer.concat([
        body.subarray(0, at),
        poisonRecord(body.subarray(at, end), options),
        body.subarray(end),
      ]);
    }
    at = end + 1;
  }
  return body;
}

function poisonRecord(record: Buffer, { poison, field, size }: PoisonOptions): Buffer {
  const found = findMember(record, field);
  if (found === undefined) return record;
  const replaced = (value: string | Buffer) =>
    Buffer.concat([record.subarray(0, found.from), Buffer.from(value), record.subarray(found.to)]);
  switch (poison) {
    case "loneSurrogate":
      return replaced('"broken \\ud83d emoji"');
    case "invalidUtf8":
      // A lone surrogate as three raw bytes: no valid UTF-8.
      return replaced(Buffer.from([QUOTE, 0x62, 0xed, 0xa0, 0xbd, 0x65, QUOTE]));
    case "duplicateKey":
      return Buffer.concat([
        record.subarray(0, -1),
        Buffer.from(`,${JSON.stringify(found.name)}:"the second value"}`),
      ]);
    case "hugeText":
      return replaced(`"${"x".repeat(size ?? 2 * 1024 * 1024)}"`);
    case "wrongType":
      return replaced('{"unexpected":["object",1,null]}');
    case "halfRecord":
      return record.subarray(0, Math.floor(record.length / 2));
  }
}

/** The value of a member at the top of `record`; without a name, the first text that is not the Id. */
function findMember(
  record: Buffer,
  field: string | undefined,
): { name: string; from: number; to: number } | undefined {
  let at = 1;
  while (at < record.length && record[at] === QUOTE) {
    const nameEnd = valueEnd(record, at);
    const name = record.subarray(at + 1, nameEnd - 1).toString("utf8");
    const from = nameEnd + 1;
    const to = valueEnd(record, from);
    if (field === undefined ? name !== "Id" && record[from] === QUOTE : name === field)
      return { name, from, to };
    at = to + 1;
  }
  return undefined;
}

/** The position behind the JSON value that starts at `from`. */
function valueEnd(bytes: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      at += 1;
      while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
      if (depth === 0) return at + 1;
    } else if (OPEN.has(byte)) depth += 1;
    else if (CLOSE.has(byte)) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && byte === 0x2c) return at;
  }
  return at;
}
