import { ConfigError, type MessageAttributes, type TypedAttribute } from "../contracts/index.js";

/** What was sent, of one message: never changed afterwards. */
export interface Content {
  readonly attributes?: MessageAttributes;
  readonly deduplicationId?: string;
  readonly traceHeader?: string;
  /** The queue it came from, in a dead-letter queue. */
  readonly deadLetterSource?: string;
  /** Where it does not follow from the place. */
  readonly id?: string;
  /** The body itself, when it is short. */
  readonly body?: Buffer;
  /** Claim check. Neither: the body lies in `bodies`. */
  readonly blob?: string;
}

/** What was sent together. */
export interface PackContent {
  /** Epoch ms. */
  readonly sentAt: number;
  /** Message group id of all of them. */
  readonly group?: string;
  readonly messages: readonly Content[];
}

/** As it stands in the JSON head of a pack: bytes are what follows the head, one body after the other. */
interface StoredContent extends Omit<Content, "body" | "attributes"> {
  /** Length of the body in this pack. */
  readonly length?: number;
  readonly attributes?: Readonly<Record<string, string | ({ readonly dataType: string } & StoredValue)>>;
}

interface StoredValue {
  readonly text?: string;
  readonly base64?: string;
}

interface Head extends Omit<PackContent, "messages"> {
  readonly messages: readonly StoredContent[];
}

/** While it is being put together. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

const LENGTH_BYTES = 4;

/** A pack as it is stored, and the same content with its short bodies in these bytes: the sender's may change. */
export interface EncodedContent {
  readonly bytes: Buffer;
  readonly content: PackContent;
}

/** u32 length of the head, the head as JSON, then the short bodies. */
export function encodeContent({ sentAt, group, messages }: PackContent): EncodedContent {
  const common = group === undefined ? { sentAt } : { sentAt, group };
  let bodyBytes = 0;
  let list = "";
  for (const content of messages) {
    bodyBytes += content.body?.length ?? 0;
    list += `${list === "" ? "" : ","}${storedText(content)}`;
  }
  const head = `${JSON.stringify(common).slice(0, -1)},"messages":[${list}]}`;
  const start = LENGTH_BYTES + Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(start + bodyBytes);
  bytes.writeUInt32BE(start - LENGTH_BYTES, 0);
  bytes.write(head, LENGTH_BYTES);
  let at = start;
  const kept: Content[] = [];
  for (const content of messages) {
    const { body } = content;
    if (body === undefined) kept.push(content);
    else {
      bytes.set(body, at);
      const own = bytes.subarray(at, at + body.length);
      kept.push(isPlain(content) ? { body: own } : { ...content, body: own });
      at += body.length;
    }
  }
  return { bytes, content: { ...common, messages: kept } };
}

/** Bodies are views of `bytes`. */
export function decodeContent(bytes: Buffer): PackContent {
  const start = LENGTH_BYTES + bytes.readUInt32BE(0);
  const { sentAt, group, messages: stored }: Head = JSON.parse(bytes.toString("utf8", LENGTH_BYTES, start));
  const messages: Content[] = [];
  let at = start;
  for (const one of stored) {
    const { length = 0 } = one;
    const body = one.length === undefined ? undefined : bytes.subarray(at, at + length);
    messages.push(body !== undefined && hasOnly(one, "length") ? { body } : contentOf(one, body));
    at += length;
  }
  return group === undefined ? { sentAt, messages } : { sentAt, group, messages };
}

function contentOf({ length: _, attributes, ...rest }: StoredContent, body: Buffer | undefined): Content {
  const content: Draft<Content> = rest;
  if (body !== undefined) content.body = body;
  if (attributes !== undefined) content.attributes = shownAttributes(attributes);
  return content;
}

/** What the buffer holds contradicts itself. */
export function damaged(what: string, place: string): ConfigError {
  return new ConfigError("DATA_DIR_DAMAGED", what, {
    place,
    fix: "Restore the data directory from a backup, or purge the queue.",
  });
}

function storedText(content: Content): string {
  if (isPlain(content)) return `{"length":${content.body.length}}`;
  const { body, attributes, ...rest } = content;
  const stored: Draft<StoredContent> = rest;
  if (body !== undefined) stored.length = body.length;
  if (attributes !== undefined) stored.attributes = storedAttributes(attributes);
  return JSON.stringify(stored);
}

/** A body and nothing else, as most are. */
function isPlain(content: Content): content is { readonly body: Buffer } {
  return content.body !== undefined && hasOnly(content, "body");
}

function hasOnly(object: object, name: string): boolean {
  for (const other in object) if (other !== name) return false;
  return true;
}

function storedAttributes(attributes: MessageAttributes): NonNullable<StoredContent["attributes"]> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      if (typeof attribute === "string") return [name, attribute];
      const { dataType, value } = attribute;
      return [
        name,
        typeof value === "string"
          ? { dataType, text: value }
          : { dataType, base64: value.toString("base64") },
      ];
    }),
  );
}

function shownAttributes(stored: NonNullable<StoredContent["attributes"]>): MessageAttributes {
  return Object.fromEntries(
    Object.entries(stored).map(([name, attribute]): [string, string | TypedAttribute] => {
      if (typeof attribute === "string") return [name, attribute];
      const { dataType, text, base64 = "" } = attribute;
      return [name, { dataType, value: text ?? Buffer.from(base64, "base64") }];
    }),
  );
}
