import { ExactNumber, type SourceRecord, TransientError, type Value } from "../../core/contracts/index.js";

/**
 * Records of a page as the engine takes them: objects without the `attributes` that Salesforce adds. Nearly all are
 * gone from the text already (dropAttributes), so this mostly only looks. `parents`: relationships that were selected.
 */
export function shapeRecords(items: readonly unknown[], parents: readonly string[]): readonly SourceRecord[] {
  let clean = true;
  for (const item of items) {
    if (!isRecord(item)) {
      throw new TransientError("SALESFORCE_UNEXPECTED_ANSWER", "a record of the answer is no object");
    }
    if (item.attributes !== undefined) clean = false;
    else if (parents.length > 0 && parents.some((parent) => hasAttributes(item[parent]))) clean = false;
  }
  const records = items as readonly SourceRecord[];
  return clean ? records : records.map(withoutAttributes);
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
