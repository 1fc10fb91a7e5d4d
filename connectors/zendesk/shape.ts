import { ExactNumber, type Log, type SourceRecord, type Value } from "../../core/contracts/index.js";
import { type CustomColumn, customValue } from "./custom-fields.js";
import { type Item, isItem } from "./item.js";
import { isoOf } from "./stamp.js";
import type { StreamSpec } from "./streams.js";

/** Makes records of the items of a page. */
export interface Shaper {
  /** Appends the records of an item: one, none, or one per part. */
  add(item: Item, to: SourceRecord[]): void;
  /** Names what the page holds that no column knows; once for each name. */
  look(items: readonly Item[]): void;
}

/** Members that are the same again, or belong to what a sideload adds. */
const REPEATED = new Set(["fields", "metric_set", "result_type"]);

/**
 * `wanted`: columns to fill. A column that Zendesk leaves out stays out, so that the engine
 * sees the difference between null and missing.
 */
export function createShaper(
  spec: StreamSpec,
  wanted: ReadonlySet<string>,
  custom: readonly CustomColumn[],
  log: Log,
): Shaper {
  const plain = new Set(spec.fields.filter(({ name }) => wanted.has(name)).map(({ name }) => name));
  const stamp = spec.fields.find((field) => field.name === spec.cursor && field.type === "timestamp")?.name;
  const textOfSeconds = secondsText();
  const lastShaping = [...shapings(spec, wanted, custom)];
  const known = new Set([...spec.fields.map(({ name }) => name), ...REPEATED]);
  const named = new Set<string>();

  const shaped = (source: Item): SourceRecord => {
    const record: SourceRecord = {};
    // Over what is there rather than what there may be: half of the columns are missing in most answers.
    for (const name in source) {
      const value = source[name];
      if (value !== undefined && plain.has(name)) record[name] = value;
    }
    if (stamp !== undefined) {
      const value = record[stamp];
      // The ticket export and the ticket events have their stamp in epoch seconds.
      if (typeof value === "number") record[stamp] = textOfSeconds(value);
    }
    for (const shape of lastShaping) shape(source, record);
    return record;
  };

  return {
    add: (item, to) => {
      if (spec.rows === undefined) to.push(shaped(item));
      else for (const part of parts(spec.rows, item)) to.push(shaped(part));
    },
    look: (items) => {
      // Every row of a page has the same members, so the ends of the page tell.
      for (const item of new Set([items[0], items.at(-1)])) {
        if (item === undefined) continue;
        for (const part of spec.rows === undefined ? [item] : parts(spec.rows, item)) {
          for (const name of Object.keys(part)) {
            if (known.has(name) || named.has(name)) continue;
            named.add(name);
            log.warn(`${spec.name} has the field ${name}, which is not read`, {
              stream: spec.name,
              field: name,
            });
          }
        }
      }
    },
  };
}

type Shaping = (source: Item, record: SourceRecord) => void;

function* shapings(
  spec: StreamSpec,
  wanted: ReadonlySet<string>,
  custom: readonly CustomColumn[],
): Generator<Shaping> {
  if (spec.deleted !== undefined && wanted.has("deleted")) {
    yield spec.deleted === "status"
      ? (source, record) => {
          record.deleted = source.status === "deleted";
        }
      : (source, record) => {
          record.deleted = source.deleted_at !== undefined && source.deleted_at !== null;
        };
  }
  const columns = new Map(
    custom.filter(({ field }) => wanted.has(field.name)).map((column) => [column.key, column]),
  );
  if (columns.size === 0) return;
  yield spec.custom === "ticket"
    ? (source, record) => {
        const list = source.custom_fields;
        if (!Array.isArray(list)) return;
        for (const entry of list) {
          if (!isItem(entry)) continue;
          const { id, value } = entry;
          const column = columns.get(id instanceof ExactNumber ? id.text : String(id));
          if (column !== undefined && value !== undefined) {
            record[column.field.name] = customValue(column, value);
          }
        }
      }
    : (source, record) => {
        const values = source[`${spec.custom}_fields`];
        if (!isItem(values)) return;
        for (const column of columns.values()) {
          const value = values[column.key];
          if (value !== undefined) record[column.field.name] = customValue(column, value);
        }
      };
}

function parts(rows: NonNullable<StreamSpec["rows"]>, item: Item): readonly Item[] {
  if (rows === "metricSets") {
    const { metric_set: metrics, generated_timestamp } = item;
    // A deleted ticket has none.
    if (!isItem(metrics) || generated_timestamp === undefined) return [];
    return [{ ...metrics, generated_timestamp }];
  }
  const events = item.child_events;
  if (!Array.isArray(events)) return [];
  return events.filter(isItem).flatMap((event): Item[] => {
    if (event.event_type !== "Comment" && event.type !== "Comment") return [];
    const { event_type: _kind, ...comment } = event;
    return [{ ...of(item), ...comment }];
  });
}

/** What a comment has of its event. */
function of(item: Item): Record<string, Value> {
  const taken: Record<string, Value> = {};
  for (const [name, from] of [
    ["event_id", "id"],
    ["ticket_id", "ticket_id"],
    ["timestamp", "timestamp"],
    ["created_at", "created_at"],
  ] as const) {
    const value = item[from];
    if (value !== undefined) taken[name] = value;
  }
  return taken;
}

/** Epoch seconds as text; neighbours share a second, so the last one is kept. */
function secondsText(): (at: number) => string {
  let last = Number.NaN;
  let text = "";
  return (at) => {
    if (at !== last) {
      last = at;
      text = isoOf(Math.floor(at));
    }
    return text;
  };
}
