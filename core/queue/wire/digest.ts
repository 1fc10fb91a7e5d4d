import { hash } from "node:crypto";
import type { MessageAttribute } from "../../contracts/index.js";

/** Lower-case hex MD5, as SDKs check it. */
export function md5(data: string | Buffer): string {
  return hash("md5", data, "hex");
}

const TEXT = 1;
const BINARY = 2;

/**
 * MD5 over attributes as the service computes it (Developer Guide, message metadata): sorted by name; of each the name,
 * the data type with its label, a byte that tells text from binary, and the value; each text and value behind its
 * length as 4 bytes, big-endian. Undefined for no attributes: there is no digest of nothing.
 */
export function attributesMd5(attributes: Iterable<readonly [string, MessageAttribute]>): string | undefined {
  const sorted = [...attributes];
  if (sorted.length === 0) return undefined;
  // By code units: names are ASCII but for a tolerated few.
  sorted.sort(([a], [b]) => (a < b ? -1 : 1));
  const parts: Buffer[] = [];
  for (const [name, attribute] of sorted) {
    const { dataType, value } =
      typeof attribute === "string" ? { dataType: "String", value: attribute } : attribute;
    const binary = typeof value !== "string";
    push(parts, Buffer.from(name));
    push(parts, Buffer.from(dataType));
    parts.push(Buffer.of(binary ? BINARY : TEXT));
    push(parts, binary ? value : Buffer.from(value));
  }
  return md5(Buffer.concat(parts));
}

function push(parts: Buffer[], bytes: Buffer): void {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(bytes.length);
  parts.push(length, bytes);
}
