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

/** u32 length of the head, the head as JSON, then the short bodies. The bytes hold until the next call. */
export function encodeContent({ sentAt, group, messages }: PackContent): Buffer {
  let bodyBytes = 0;
  const stored: StoredContent[] = [];
  for (const content of messages) {
    bodyBytes += content.body?.length ?? 0;
    stored.push(storedContent(content));
  }
  const head = JSON.stringify({
    sentAt,
    ...(group !== undefined && { group }),
    messages: stored,
  } satisfies Head);
  const headBytes = Buffer.byteLength(head);
  const total = LENGTH_BYTES + headBytes + bodyBytes;
  if (total > scratch.length) scratch = Buffer.allocUnsafeSlow(total * 2);
  scratch.writeUInt32BE(headBytes, 0);
  scratch.write(head, LENGTH_BYTES);
  let at = LENGTH_BYTES + headBytes;
  for (const { body } of messages) if (body) at += body.copy(scratch, at);
  return scratch.subarray(0, total);
}

/** Every send passes here with kilobytes that the table copies: a buffer made anew each time would be collected each time. */
let scratch = Buffer.allocUnsafeSlow(65_536);

/** Bodies are views of `bytes`. */
export function decodeContent(bytes: Buffer): PackContent {
  const start = LENGTH_BYTES + bytes.readUInt32BE(0);
  const { sentAt, group, messages: stored }: Head = JSON.parse(bytes.toString("utf8", LENGTH_BYTES, start));
  const messages: Content[] = [];
  let at = start;
  for (const { length, attributes, ...rest } of stored) {
    const content: Draft<Content> = rest;
    if (length !== undefined) content.body = bytes.subarray(at, at + length);
    at += length ?? 0;
    if (attributes !== undefined) content.attributes = shownAttributes(attributes);
    messages.push(content);
  }
  return group === undefined ? { sentAt, messages } : { sentAt, group, messages };
}

/** What the buffer holds contradicts itself. */
export function damaged(what: string, place: string): ConfigError {
  return new ConfigError("DATA_DIR_DAMAGED", what, {
    place,
    fix: "Restore the data directory from a backup, or purge the queue.",
  });
}

function storedContent({ body, attributes, ...rest }: Content): StoredContent {
  const stored: Draft<StoredContent> = rest;
  if (body !== undefined) stored.length = body.length;
  if (attributes !== undefined) stored.attributes = storedAttributes(attributes);
  return stored;
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
