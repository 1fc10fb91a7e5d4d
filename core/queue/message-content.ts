import { isAscii, isUtf8 } from "node:buffer";
import type { MessageAttribute, MessageAttributes, TypedAttribute } from "../contracts/index.js";
import { refusals } from "./refusals.js";

/**
 * What a message may hold (SQS API reference, SendMessage): U+0009, U+000A, U+000D, U+0020 to U+D7FF, U+E000 to
 * U+FFFD, U+10000 to U+10FFFF. JSON text may legally hold U+FFFE and U+FFFF unescaped; write them as \ufffe, \uffff.
 */
const MOST_ATTRIBUTES = 10;
const ATTRIBUTE_NAME = /^(?!aws\.|amazon\.)(?!\.)[\p{L}\p{Nd}_.-]{1,256}(?<!\.)$/iu;
const DATA_TYPE = /^(?:String|Number|Binary)(?:\..{1,249})?$/;
const NUMBER = /^[+-]?(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,4}))?$/;
const TOKEN = /^[\x21-\x7e]{1,128}$/;
const NONCHARACTER_FFFE = Buffer.from([0xef, 0xbf, 0xbe]);
const NONCHARACTER_FFFF = Buffer.from([0xef, 0xbf, 0xbf]);

/** The bytes of a body that may be sent; throws MissingParameter or InvalidMessageContents. */
export function bodyBytes(queue: string, body: string | Buffer): Buffer {
  if (body.length === 0) throw refusals.emptyBody(queue);
  if (typeof body === "string" && !body.isWellFormed()) throw refusals.contents(queue, "a lone surrogate");
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
  const found = forbidden(bytes, typeof body === "string");
  if (found !== undefined) throw refusals.contents(queue, found);
  return bytes;
}

/** Adds up to what the queue's MaximumMessageSize counts: names, data types and values. */
export function attributeBytes(queue: string, attributes: MessageAttributes): number {
  const names = Object.keys(attributes);
  if (names.length > MOST_ATTRIBUTES)
    throw refusals.messageAttribute(
      queue,
      `Number of message attributes [${names.length}] exceeds the allowed maximum [${MOST_ATTRIBUTES}].`,
    );
  for (const name of names) {
    const { dataType, value } = typed(attributes[name] ?? "");
    checkAttribute(queue, name, dataType, value);
  }
  return attributesSize(attributes);
}

/** The same of any attributes, unchecked. */
export function attributesSize(attributes: MessageAttributes): number {
  let bytes = 0;
  for (const name in attributes) {
    const { dataType, value } = typed(attributes[name] ?? "");
    bytes += Buffer.byteLength(name) + Buffer.byteLength(dataType) + Buffer.byteLength(value);
  }
  return bytes;
}

/** As they are shown: those of the plain type String as bare strings. A copy. */
export function plainAttributes(attributes: MessageAttributes): MessageAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const { dataType, value } = typed(attribute);
      if (typeof value !== "string") return [name, { dataType, value: Buffer.from(value) }];
      return [name, dataType === "String" ? value : attribute];
    }),
  );
}

function typed(attribute: MessageAttribute): TypedAttribute {
  return typeof attribute === "string" ? { dataType: "String", value: attribute } : attribute;
}

function checkAttribute(queue: string, name: string, dataType: string, value: string | Buffer): void {
  if (!ATTRIBUTE_NAME.test(name) || name.includes(".."))
    throw refusals.messageAttribute(queue, `Message (user) attribute name '${name}' is invalid.`);
  if (!DATA_TYPE.test(dataType) || !dataType.isWellFormed())
    throw refusals.messageAttribute(
      queue,
      `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  if (value.length === 0)
    throw refusals.messageAttribute(
      queue,
      `Message (user) attribute '${name}' must contain a non-empty value of type '${dataType}'.`,
    );
  if (dataType.startsWith("Binary") !== Buffer.isBuffer(value))
    throw refusals.messageAttribute(
      queue,
      `The message attribute '${name}' with type '${dataType}' must use field '${dataType.startsWith("Binary") ? "Binary" : "String"}'.`,
    );
  if (typeof value !== "string") return;
  const found = value.isWellFormed() ? forbidden(Buffer.from(value, "utf8"), true) : "a lone surrogate";
  if (found !== undefined)
    throw refusals.messageAttribute(
      queue,
      `Message (user) attribute '${name}' contains characters outside the allowed set: ${found}.`,
    );
  if (dataType.startsWith("Number") && !isNumber(value))
    throw refusals.messageAttribute(
      queue,
      `Can't cast the value of message (user) attribute '${name}' to a number.`,
    );
}

/** Up to 38 digits, 10^-128 to 10^126; the text is kept as sent. */
function isNumber(text: string): boolean {
  const parts = NUMBER.exec(text);
  if (!parts) return false;
  const [, whole = "", fraction = "", exponent = "0"] = parts;
  const digits = (whole + fraction).replace(/^0+/, "").replace(/0+$/, "");
  if (digits === "") return true;
  const magnitude = Number(exponent) + whole.replace(/^0+/, "").length;
  return digits.length <= 38 && magnitude >= -128 && magnitude <= 127;
}

/** MessageGroupId and MessageDeduplicationId: 1 to 128 letters, digits and ASCII punctuation. */
export function checkGroupToken(queue: string, parameter: string, value: string): void {
  if (!TOKEN.test(value)) throw refusals.groupToken(queue, parameter, value);
}

/** The first thing found that a message may not hold, in words. */
function forbidden(bytes: Buffer, knownUtf8: boolean): string | undefined {
  const ascii = isAscii(bytes);
  if (!ascii && !knownUtf8 && !isUtf8(bytes)) return "bytes that are not UTF-8";
  const control = firstControl(bytes);
  if (control >= 0)
    return `U+${(bytes[control] ?? 0).toString(16).toUpperCase().padStart(4, "0")} at byte ${control}`;
  if (ascii) return undefined;
  for (const [name, pattern] of [
    ["U+FFFE", NONCHARACTER_FFFE],
    ["U+FFFF", NONCHARACTER_FFFF],
  ] as const) {
    const at = bytes.indexOf(pattern);
    if (at >= 0) return `${name} at byte ${at}`;
  }
  return undefined;
}

/**
 * Index of the first control character other than tab, line feed and carriage return; -1 when there is none. Every
 * body passes here, so it goes four bytes at a time: a byte below 0x20 is one whose subtraction of 0x20 borrows into
 * its high bit; only words with such a byte (a line end, mostly) are looked at one by one.
 */
function firstControl(bytes: Buffer): number {
  const length = bytes.length;
  const head = Math.min((4 - (bytes.byteOffset & 3)) & 3, length);
  const words = (length - head) >>> 2;
  const at = controlBetween(bytes, 0, head);
  if (at >= 0) return at;
  const view = new Int32Array(bytes.buffer, bytes.byteOffset + head, words);
  for (let i = 0; i < words; i++) {
    const word = view[i] ?? 0;
    if (((word - 0x20202020) & ~word & 0x80808080) !== 0) {
      const found = controlBetween(bytes, head + i * 4, head + i * 4 + 4);
      if (found >= 0) return found;
    }
  }
  return controlBetween(bytes, head + words * 4, length);
}

function controlBetween(bytes: Buffer, from: number, to: number): number {
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x20 && byte !== 0x0a && byte !== 0x09 && byte !== 0x0d) return i;
  }
  return -1;
}
