import {
  type Environment,
  ExactNumber,
  type PeekedMessage,
  RecordError,
  textAttributes,
  type Value,
} from "../contracts/index.js";
import { exactJson } from "../flow/stringify.js";
import { InvalidUtf8, parseJson } from "../http/json.js";
import { deadLetterQueue } from "./names.js";

/** One rejected record, as the tools show it. */
export interface DeadLetter {
  readonly messageId: string;
  readonly flow: string;
  readonly run: string;
  readonly stage: string;
  /** Connection of the sink that refused it. */
  readonly sink: string | undefined;
  readonly rule: string;
  readonly reason: string;
  /** Epoch ms of the rejection; editing does not change it. */
  readonly rejectedAt: number;
  /** Epoch ms of the last edit by a person. */
  readonly editedAt: number | undefined;
  /** The message's attributes that are texts. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly message: PeekedMessage;
}

/** Which dead letters a command means; every given part must hold. */
export interface DeadLetterFilter {
  readonly messageIds?: readonly string[];
  /** Part of the rule or of the reason, any letter case. */
  readonly reason?: string;
  /** Part of the rule, any letter case. */
  readonly rule?: string;
  readonly run?: string;
  readonly stage?: string;
  /** Connection of the sink that refused them. */
  readonly sink?: string;
  /** Epoch ms, inclusive. */
  readonly since?: number;
  /** Epoch ms, exclusive. */
  readonly until?: number;
  /** Values of fields as people type them; `Owner.Name` reaches inside, unless a field has that very name. */
  readonly fields?: readonly { readonly path: string; readonly value: string }[];
}

const PEEK = 100;
/** Letters of one deleting transaction. */
const DROP = 1_000;

/** Dead letters of a flow, oldest first, read a piece at a time. */
export function* deadLettersOf(
  environment: Environment,
  flow: string,
  filter: DeadLetterFilter = {},
): Generator<DeadLetter> {
  if (!environment.queues.hasQueue(deadLetterQueue(flow))) return;
  const matches = matcher(filter);
  for (const message of messagesOf(environment, flow, filter.messageIds)) {
    const letter = letterOf(flow, message);
    if (matches(letter)) yield letter;
  }
}

function* messagesOf(
  { queues }: Environment,
  flow: string,
  ids: readonly string[] | undefined,
): Generator<PeekedMessage> {
  const queue = deadLetterQueue(flow);
  if (ids !== undefined) {
    const found = [...new Set(ids)].flatMap((id) => queues.get(queue, id) ?? []);
    yield* found.sort((a, b) => a.sentAt - b.sentAt || (a.messageId < b.messageId ? -1 : 1));
    return;
  }
  let after: string | undefined;
  for (;;) {
    const page = queues.peek(queue, { limit: PEEK, ...(after === undefined ? {} : { after }) });
    yield* page;
    after = page.at(-1)?.messageId;
    if (page.length < PEEK) return;
  }
}

/** The letter with this very id, in the queue of whichever of these flows. */
export function deadLetterOf(
  { queues }: Environment,
  flows: readonly string[],
  messageId: string,
): DeadLetter | undefined {
  for (const flow of flows) {
    const message = queues.get(deadLetterQueue(flow), messageId);
    if (message !== undefined) return letterOf(flow, message);
  }
  return undefined;
}

function letterOf(flow: string, message: PeekedMessage): DeadLetter {
  const attributes = textAttributes(message.attributes);
  const { deadLetterSource: source, receiveCount } = message;
  // Not ours: a consumer of the SQS endpoint received it too often.
  const moved = source === undefined ? "" : `received ${receiveCount} times from ${source} and never deleted`;
  return {
    messageId: message.messageId,
    flow,
    run: attributes.run ?? "",
    stage: attributes.stage ?? "",
    sink: attributes.sink,
    rule: attributes.rule ?? (source === undefined ? "" : "maxReceiveCount"),
    reason: attributes.reason ?? moved,
    rejectedAt: timeOf(attributes.rejectedAt) ?? message.sentAt,
    editedAt: timeOf(attributes.edited),
    attributes,
    message,
  };
}

function timeOf(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

function matcher(filter: DeadLetterFilter): (letter: DeadLetter) => boolean {
  const { run, stage, sink, since, until, fields = [] } = filter;
  const reason = filter.reason?.toLowerCase();
  const rule = filter.rule?.toLowerCase();
  return (letter) =>
    (run === undefined || letter.run === run) &&
    (stage === undefined || letter.stage === stage) &&
    (sink === undefined || letter.sink === sink) &&
    (since === undefined || letter.rejectedAt >= since) &&
    (until === undefined || letter.rejectedAt < until) &&
    (rule === undefined || letter.rule.toLowerCase().includes(rule)) &&
    (reason === undefined || `${letter.rule} ${letter.reason}`.toLowerCase().includes(reason)) &&
    (fields.length === 0 || hasFields(letter, fields));
}

function hasFields(letter: DeadLetter, wanted: NonNullable<DeadLetterFilter["fields"]>): boolean {
  let record: unknown;
  try {
    record = jsonOf(letter.message.body());
  } catch (error) {
    // Another process took it since it was listed.
    if (error instanceof RecordError && error.code === "MESSAGE_GONE") return false;
    throw error;
  }
  return wanted.every(({ path, value }) => fieldText(record, path) === value);
}

/** A body as JSON with every digit kept; undefined where it is none. */
export function jsonOf(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof InvalidUtf8) return undefined;
    throw error;
  }
}

function fieldText(record: unknown, path: string): string | undefined {
  if (!isObject(record)) return undefined;
  if (Object.hasOwn(record, path)) {
    const value = record[path];
    return typeof value === "string" ? value : value === undefined ? undefined : exactJson(value);
  }
  const dot = path.indexOf(".");
  return dot === -1 ? undefined : fieldText(record[path.slice(0, dot)], path.slice(dot + 1));
}

/** A JSON object: no list, no number that is kept digit by digit. */
export function isObject(value: unknown): value is Record<string, Value> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/** Removes dead letters for good, a piece at a time. Returns how many were there. */
export async function dropDeadLetters(
  environment: Environment,
  flow: string,
  filter: DeadLetterFilter,
): Promise<number> {
  let dropped = 0;
  let piece: string[] = [];
  const drop = async () => {
    const ids = piece;
    piece = [];
    if (ids.length === 0) return;
    dropped += await environment.transaction(({ queues }) => queues.deleteById(deadLetterQueue(flow), ids));
  };
  for (const { messageId } of deadLettersOf(environment, flow, filter)) {
    piece.push(messageId);
    if (piece.length === DROP) await drop();
  }
  await drop();
  return dropped;
}
