import {
  ConfigError,
  type Environment,
  type MessageAttributes,
  ORDER_COLUMN,
  type Schema,
  type SourceRecord,
  type Store,
} from "../contracts/index.js";
import { shown, typeNoun } from "../flow/fault.js";
import { fitter } from "../flow/fit.js";
import { recordJson } from "../flow/index.js";
import { MAX_DEPTH, withinDepth } from "../flow/stringify.js";
import { refusedRecords } from "../http/duplicates.js";
import { InvalidUtf8, parseJson } from "../http/json.js";
import { type DeadLetter, deadLetterOf, isObject } from "./deadletters.js";
import { deadLetterQueue } from "./names.js";
import { storedSchema } from "./schema.js";

/*
 * Editing a dead letter before it is redriven. A message of a queue never changes: the edited letter is a new one that
 * takes the place of the old in one transaction, with all that is known of the refusal. Accounts count letters where
 * they were refused, not where they rest, so the run goes on counting this one, once.
 */

/**
 * The record that a text holds. ConfigError BODY_NOT_A_RECORD unless it is exactly one JSON object, DUPLICATE_KEY where
 * a key occurs twice. `place`: where the text came from, for the message.
 */
export function recordFrom(body: Buffer, place: string): SourceRecord {
  const record = parsedRecord(body, place);
  const refused = refusedRecords(body, record, []).get(record);
  if (refused === undefined) return record;
  throw new ConfigError("DUPLICATE_KEY", refused.rule.replace("on", "in this record:"), {
    place,
    fix: "Write every key once.",
  });
}

/** The record of a letter as it rests: of a key that occurs twice, which may be why it was refused, the last value. */
export function letterRecord({ message }: DeadLetter): SourceRecord {
  return parsedRecord(message.body(), `dead letter ${message.messageId}`);
}

function parsedRecord(body: Buffer, place: string): SourceRecord {
  let value: unknown;
  let cause: unknown;
  try {
    value = parseJson(body);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof InvalidUtf8)) throw error;
    cause = error;
  }
  if (isObject(value) && withinDepth(value, MAX_DEPTH)) return value;
  throw new ConfigError(
    "BODY_NOT_A_RECORD",
    isObject(value) ? `the object nests deeper than ${MAX_DEPTH} levels` : "expected exactly one JSON object",
    { place, fix: 'Give the whole record, such as {"Id":"001","Amount":12.50}.', cause },
  );
}

/**
 * Puts `record` in the place of a letter's body and returns the letter as it is then: with a new id, at the end of its
 * queue. ConfigError FIELD_UNKNOWN, FIELD_TYPE when a mapped record does not fit the columns of its sink;
 * DEAD_LETTER_GONE when another process took the letter in the meantime.
 */
export async function editDeadLetter(
  environment: Environment,
  letter: DeadLetter,
  record: SourceRecord,
  now: number,
): Promise<DeadLetter> {
  const { queues } = environment;
  const queue = deadLetterQueue(letter.flow);
  const line = recordJson(letter.stage === "sink" ? mapped(environment.store, letter, record) : record);
  const staged = await queues.stage(`${line}\n`);
  const attributes = attributesOf(letter, now);
  const sent = await environment.transaction((tx) => {
    if (tx.queues.deleteById(queue, [letter.messageId]) === 0) return undefined;
    return tx.queues.send(queue, [{ body: staged, records: 1, attributes }])[0];
  });
  const edited = sent && deadLetterOf(environment, [letter.flow], sent.messageId);
  if (edited !== undefined) return edited;
  if (sent === undefined) await queues.discard(staged);
  throw new ConfigError("DEAD_LETTER_GONE", `dead letter ${letter.messageId} is not there any more`, {
    fix: "Another process redrove, edited or dropped it: see `sluice dead-letters list`.",
  });
}

/** All that were there; `op` says nothing about a letter, and letters of older versions have it. */
function attributesOf(letter: DeadLetter, now: number): MessageAttributes {
  const { op: _, ...kept } = letter.message.attributes;
  return {
    ...kept,
    edited: new Date(now).toISOString(),
    rejectedAt: new Date(letter.rejectedAt).toISOString(),
  };
}

/** A record for one sink goes there as it stands: it must fit the columns it was mapped to. */
function mapped(store: Store, letter: DeadLetter, record: SourceRecord): SourceRecord {
  const before = letterRecord(letter);
  const order = before[ORDER_COLUMN];
  const schema = storedSchema(store, letter.attributes.schema ?? "", order !== undefined);
  // The order is the engine's: an edit must not make an old version the newest.
  if (Object.hasOwn(record, ORDER_COLUMN) && record[ORDER_COLUMN] !== order) {
    throw new ConfigError("FIELD_UNKNOWN", `${ORDER_COLUMN} is not a field of the record but its order`, {
      fix: "Leave it as it was, or out.",
    });
  }
  const whole = order === undefined ? record : { ...record, [ORDER_COLUMN]: order };
  return schema === undefined ? whole : fitted(whole, schema);
}

function fitted(record: SourceRecord, { fields }: Schema): SourceRecord {
  const known = new Set(fields.map(({ name }) => name));
  const unknown = Object.keys(record).find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new ConfigError("FIELD_UNKNOWN", `the mapped record has no field ${unknown}`, {
      fix: `Its fields are: ${fields
        .map(({ name }) => name)
        .filter((name) => name !== ORDER_COLUMN)
        .join(", ")}.`,
    });
  }
  const result: SourceRecord = {};
  for (const field of fields) {
    const value = record[field.name] ?? null;
    const fit = value === null ? null : fitter(field)(value);
    if (fit === undefined) {
      const noun = typeNoun(field.type, field.precision, field.scale);
      throw new ConfigError("FIELD_TYPE", `${field.name} is ${shown(value, false)}, expected ${noun}`);
    }
    if (typeof fit === "string" && !fit.isWellFormed()) {
      throw new ConfigError(
        "FIELD_TYPE",
        `${field.name} holds half a character (a lone surrogate), expected text`,
      );
    }
    result[field.name] = fit;
  }
  return result;
}
