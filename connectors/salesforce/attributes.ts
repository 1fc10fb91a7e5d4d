import { ExactNumber, type SourceRecord, TransientError, type Value } from "../../core/contracts/index.js";

/*
 * Every record of an answer, parents included, begins with an `attributes` object that no describe lists:
 * {"attributes":{"type":"Account","url":"/services/data/v67.0/sobjects/Account/001..."},"Id":...
 */

const OPENING = Buffer.from('{"attributes":{"type":"');
const OPEN = "{".charCodeAt(0);
const CLOSE = "}".charCodeAt(0);
const COMMA = ",".charCodeAt(0);

/**
 * Takes the attributes out of the bytes of an answer, in place: what is not parsed costs nothing, and moving the rest
 * together takes less time than that saves. Inside a string the quotes would be escaped, so no value is touched. What
 * has another form is left to `shapeRecords`.
 */
export function dropAttributes(body: Buffer): Buffer {
  let found = body.indexOf(OPENING);
  if (found < 0) return body;
  let read = 0;
  let written = 0;
  while (found >= 0) {
    // Up to and with the record's own brace.
    const keep = found + 1;
    const values = keep + OPENING.length - 1;
    const end = body.indexOf(CLOSE, values);
    const inner = body.indexOf(OPEN, values);
    // Half an answer, which the parser is to see; or attributes that hold more than two texts.
    if (end < 0 || (inner >= 0 && inner < end)) {
      found = end < 0 ? -1 : body.indexOf(OPENING, end);
      continue;
    }
    if (written !== read) body.copyWithin(written, read, keep);
    written += keep - read;
    read = body[end + 1] === COMMA ? end + 2 : end + 1;
    found = body.indexOf(OPENING, read);
  }
  body.copyWithin(written, read);
  return body.subarray(0, written + body.length - read);
}

/**
 * Records of a page as the engine takes them: objects without the `attributes` that Salesforce adds. Nearly all are
 * gone from the text already (dropAttributes), so this mostly only looks. `parents`: relationships that were selected.
 */
export function shapeRecords(items: readonly unknown[], parents: readonly string[]): readonly SourceRecord[] {
  if (!items.every(isRecord)) {
    throw new TransientError("SALESFORCE_UNEXPECTED_ANSWER", "a record of the answer is no object");
  }
  const isClean = (record: SourceRecord) =>
    record.attributes === undefined && !parents.some((parent) => hasAttributes(record[parent]));
  return items.every(isClean) ? items : items.map(withoutAttributes);
}

function isRecord(value: unknown): value is SourceRecord {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/** Looks down the one line of parents that a path selects. */
function hasAttributes(value: Value | undefined): boolean {
  return isRecord(value) && (value.attributes !== undefined || Object.values(value).some(hasAttributes));
}

function withoutAttributes(record: SourceRecord): SourceRecord {
  const copy: SourceRecord = {};
  for (const [name, value] of Object.entries(record)) {
    if (name !== "attributes") copy[name] = isRecord(value) ? withoutAttributes(value) : value;
  }
  return copy;
}
