import { z } from "zod";
import {
  ExactNumber,
  type FieldType,
  type Log,
  type SourceField,
  type Value,
} from "../../core/contracts/index.js";
import type { ZendeskApi } from "./api.js";
import { isItem, itemsOf } from "./item.js";
import type { StreamSpec } from "./streams.js";

/** A custom field as a column of its own. */
export interface CustomColumn {
  readonly field: SourceField;
  /** Where the value stands: the id of a ticket field, the key of a user's or organization's. */
  readonly key: string;
  readonly type: string;
}

/** No field of Zendesk's own begins so; `custom_role_id` does begin with `custom_`. */
export const CUSTOM_PREFIX = "custom_field_";

/** Our type for a type of field. What is not here is read as a string, with a line in the log. */
const TYPES: Readonly<Record<string, FieldType>> = {
  checkbox: "boolean",
  integer: "integer",
  decimal: "decimal",
  date: "date",
  multiselect: "json",
  text: "string",
  textarea: "string",
  regexp: "string",
  partialcreditcard: "string",
  tagger: "string",
  dropdown: "string",
  lookup: "string",
};

/** Ticket fields that the ticket has as members of its own. */
const SYSTEM = new Set([
  "subject",
  "description",
  "status",
  "custom_status",
  "tickettype",
  "priority",
  "basic_priority",
  "group",
  "assignee",
]);

const LISTS = {
  ticket: "ticket_fields",
  user: "user_fields",
  organization: "organization_fields",
} as const;

const definition = z.looseObject({
  id: z.union([z.number(), z.string()]),
  key: z.string().nullish(),
  type: z.string(),
  title: z.string().nullish(),
});

/** A list of fields is short, but nothing bounds it. */
const MOST_PAGES = 50;

/** The custom fields of an account as columns, each list asked for once in the life of the connection. */
export class CustomFields {
  readonly #api: ZendeskApi;
  readonly #log: Log;
  readonly #known = new Map<string, Promise<readonly CustomColumn[]>>();

  constructor(api: ZendeskApi, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  async columns(
    kind: NonNullable<StreamSpec["custom"]>,
    signal: AbortSignal,
  ): Promise<readonly CustomColumn[]> {
    const known = this.#known.get(kind);
    if (known !== undefined) return known;
    const asked = this.#ask(kind, signal);
    this.#known.set(kind, asked);
    asked.catch(() => this.#known.delete(kind));
    return asked;
  }

  async #ask(kind: keyof typeof LISTS, signal: AbortSignal): Promise<readonly CustomColumn[]> {
    const found: CustomColumn[] = [];
    let after: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const { body } = await this.#api.get(
        `${LISTS[kind]}.json`,
        [["page[size]", "100"], ...(after === undefined ? [] : [["page[after]", after] as const])],
        "account",
        signal,
      );
      for (const item of itemsOf(body, LISTS[kind], `zendesk ${LISTS[kind]}`)) {
        const parsed = definition.safeParse(item);
        if (parsed.success && !SYSTEM.has(parsed.data.type)) found.push(this.#column(kind, parsed.data));
      }
      const meta = isItem(body) ? body.meta : undefined;
      const next = isItem(meta) && meta.has_more === true ? meta.after_cursor : undefined;
      if (typeof next !== "string" || next === after) break;
      after = next;
    }
    // One name, one column: a key that comes twice is Zendesk's mistake, not a reason to fail.
    return found.filter((column, at) => found.findIndex(({ key }) => key === column.key) === at);
  }

  #column(kind: keyof typeof LISTS, field: z.output<typeof definition>): CustomColumn {
    const type = TYPES[field.type];
    if (type === undefined) {
      this.#log.warn(`a ${kind} field has the unknown type ${field.type} and is read as a string`, {
        field: String(field.id),
      });
    }
    // Titles are renamed and not unique; ids and keys stay.
    const key = kind === "ticket" ? String(field.id) : (field.key ?? String(field.id));
    return {
      key,
      type: field.type,
      field: {
        name: `${CUSTOM_PREFIX}${key}`,
        type: type ?? "string",
        filterable: false,
        ...(field.title ? { description: field.title } : {}),
      },
    };
  }
}

/**
 * The value of a custom field in its column's type. Zendesk keeps them untyped: an integer may be the text `42`, a date
 * may carry a time. What cannot be read stays as it is, so that the flow rejects the record by name and nothing is lost.
 */
export function customValue(column: CustomColumn, value: Value): Value {
  if (value === null) return null;
  switch (column.field.type) {
    case "integer":
    case "decimal":
      return value === "" ? null : typeof value === "string" ? numberOf(value) : value;
    case "boolean":
      return value === "" ? null : value === "true" ? true : value === "false" ? false : value;
    case "date":
      if (value === "") return null;
      return typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? value.slice(0, 10) : value;
    case "string":
      return typeof value === "object" && !(value instanceof ExactNumber)
        ? JSON.stringify(value)
        : String(value);
    default:
      return value;
  }
}

function numberOf(text: string): Value {
  const digits = text.trim();
  if (!/^-?\d+(\.\d+)?$/.test(digits)) return text;
  const plain = digits.replace(/^(-?)0+(?=\d)/, "$1");
  const value = Number(plain);
  return String(value) === plain ? value : new ExactNumber(plain);
}
