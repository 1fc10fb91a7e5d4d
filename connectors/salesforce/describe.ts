import { z } from "zod";
import {
  ConfigError,
  type Field,
  type Log,
  type SourceField,
  type StreamInfo,
  type StreamSchema,
  TransientError,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import { suggestion } from "./names.js";

/** What is re-read behind the watermark: 5 minutes for long transactions and 10 of overlap (see index.ts). */
export const DEFAULT_LOOKBACK_MS = 15 * 60_000;

const describedField = z.looseObject({
  name: z.string(),
  label: z.string().nullish(),
  type: z.string(),
  length: z.number().nullish(),
  precision: z.number().nullish(),
  scale: z.number().nullish(),
  calculated: z.boolean().nullish(),
  filterable: z.boolean().nullish(),
  sortable: z.boolean().nullish(),
  compoundFieldName: z.string().nullish(),
  relationshipName: z.string().nullish(),
  referenceTo: z.array(z.string()).nullish(),
});
const describedObject = z.looseObject({
  name: z.string(),
  queryable: z.boolean().nullish(),
  replicateable: z.boolean().nullish(),
  fields: z.array(describedField),
});
const listedObjects = z.looseObject({
  sobjects: z.array(
    z.looseObject({ name: z.string(), label: z.string().nullish(), queryable: z.boolean().nullish() }),
  ),
});

/** A field as Salesforce describes it. */
export type DescribedField = z.output<typeof describedField>;

/** An object as Salesforce describes it. */
export interface DescribedObject {
  readonly name: string;
  /** Whether getUpdated and getDeleted answer for it. */
  readonly replicateable: boolean;
  readonly fields: ReadonlyMap<string, DescribedField>;
}

/** Describes objects, each once for the life of the connection: a call apiece is what the org counts. */
export class Describer {
  readonly #api: SalesforceApi;
  readonly #connection: string;
  readonly #known = new Map<string, DescribedObject>();
  #listed: readonly StreamInfo[] | undefined;

  constructor(api: SalesforceApi, connection: string) {
    this.#api = api;
    this.#connection = connection;
  }

  /** All objects of the org, fresh. */
  async list(signal: AbortSignal): Promise<readonly StreamInfo[]> {
    const answer = await this.#api.resource("sobjects", signal);
    const { sobjects } = parse(listedObjects, answer.json(), "sobjects");
    this.#listed = sobjects.map(({ name, label, queryable }) => {
      const reason = queryable === false ? "Salesforce does not allow to query it" : unreadable(name);
      return {
        name,
        label: label ?? name,
        readable: reason === undefined,
        ...(reason === undefined ? {} : { reason }),
      };
    });
    return this.#listed;
  }

  /** It has changed: the next one who asks is told anew. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  /** ConfigError for a name that is not exactly an object's, with the nearest ones. */
  async object(name: string, signal: AbortSignal): Promise<DescribedObject> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    // The name becomes part of a path and of SOQL.
    if (!/^[A-Za-z]\w{0,79}$/.test(name)) throw await this.#unknown(name, signal);
    const answer = await this.#api
      .resource(`sobjects/${name}/describe`, signal)
      .catch(async (error: unknown) => {
        if (!(error instanceof ConfigError) || error.code !== "SALESFORCE_NOT_FOUND") throw error;
        throw await this.#unknown(name, signal);
      });
    const described = parse(describedObject, answer.json(), name);
    // Salesforce itself does not care about case; a cursor and a target named after the object do.
    if (described.name !== name) throw await this.#unknown(name, signal);
    const object = {
      name,
      replicateable: described.replicateable === true,
      fields: new Map(described.fields.map((field) => [field.name, field])),
    };
    this.#known.set(name, object);
    return object;
  }

  async #unknown(name: string, signal: AbortSignal): Promise<ConfigError> {
    const listed = this.#listed ?? (await this.list(signal));
    const known = listed.map((info) => info.name);
    return new ConfigError(
      "SALESFORCE_UNKNOWN_OBJECT",
      `there is no object ${JSON.stringify(name.slice(0, 80))}`,
      {
        place: this.#connection,
        fix: suggestion(
          name,
          known,
          "Check its API name, and that the user may see it; `sluice discover` lists all.",
        ),
      },
    );
  }
}

function parse<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new TransientError("SALESFORCE_UNEXPECTED_ANSWER", `the description of ${what} has an unknown form`, {
    place: `salesforce ${what}`,
    fix: "Try again later, and check that instanceUrl is a Salesforce org.",
  });
}

/** Salesforce's types and ours. Not listed: `base64`, which a query answers with a URL, and types of later versions. */
const TYPES: Readonly<Record<string, Field["type"]>> = {
  id: "string",
  reference: "string",
  string: "string",
  picklist: "string",
  multipicklist: "string",
  combobox: "string",
  textarea: "string",
  phone: "string",
  url: "string",
  email: "string",
  encryptedstring: "string",
  datacategorygroupreference: "string",
  complexvalue: "string",
  masterrecord: "string",
  json: "string",
  anyType: "string",
  calculated: "string",
  // 14:30:00.000Z; no warehouse agrees on a type for it.
  time: "string",
  boolean: "boolean",
  int: "integer",
  long: "integer",
  double: "decimal",
  percent: "decimal",
  currency: "decimal",
  date: "date",
  datetime: "timestamp",
  address: "json",
  location: "json",
};

/** Our column for a field; undefined where a query cannot read it. Every column may be null: `nillable` cannot be trusted. */
export function columnOf(field: DescribedField): Field | undefined {
  if (field.type === "base64") return undefined;
  const type = TYPES[field.type] ?? "string";
  const description = field.label ?? undefined;
  return {
    name: field.name,
    type,
    ...(description === undefined ? {} : { description }),
    ...(type === "string" && isPositive(field.length) ? { length: field.length } : {}),
    ...(type === "decimal" && isPositive(field.precision)
      ? { precision: field.precision, scale: Math.min(field.scale ?? 0, field.precision) }
      : {}),
  };
}

function isPositive(value: number | null | undefined): value is number {
  return typeof value === "number" && value > 0;
}

/** Best first. SystemModstamp moves with automation too, LastModifiedDate with users only, the others never. */
const CURSORS = ["SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime"];

export function streamSchema(object: DescribedObject, log: Log): StreamSchema {
  const fields: SourceField[] = [];
  const leftOut: string[] = [];
  for (const field of object.fields.values()) {
    const column = columnOf(field);
    if (column === undefined) {
      leftOut.push(field.name);
      continue;
    }
    if (TYPES[field.type] === undefined) {
      log.warn(`${object.name}.${field.name} has the unknown type ${field.type} and is read as a string`);
    }
    const to = field.referenceTo ?? [];
    fields.push({
      ...column,
      filterable: field.filterable !== false,
      ...(field.relationshipName ? { relationship: { name: field.relationshipName, to } } : {}),
      ...(field.calculated === true ? { calculated: true } : {}),
    });
  }
  if (leftOut.length > 0) {
    log.info(`${object.name}: fields that hold files are left out`, { fields: leftOut.join(", ") });
  }
  return {
    stream: object.name,
    fields,
    primaryKey: ["Id"],
    cursors: CURSORS.filter((name) => isCursor(object.fields.get(name))),
    defaultLookbackMs: DEFAULT_LOOKBACK_MS,
  };
}

/** Whether records can be cut off at a value of it. */
export function isCursor(field: DescribedField | undefined): boolean {
  return field?.type === "datetime" && field.filterable !== false && field.sortable !== false;
}

/*
 * Objects that a plain query does not read, as hints for the list only: they differ from version to version, so what
 * Salesforce answers decides. First those that want a fixed WHERE, then those that take no query at all.
 */
const NEEDS_FILTER = new Set([
  "Announcement",
  "AppTabMember",
  "CollaborationGroupRecord",
  "ColorDefinition",
  "ContentDocumentLink",
  "ContentFolderItem",
  "ContentFolderMember",
  "ContentHubItem",
  "DataStatistics",
  "DatacloudAddress",
  "EntityParticle",
  "FieldDefinition",
  "FlexQueueItem",
  "FlowVariableView",
  "FlowVersionView",
  "IconDefinition",
  "IdeaComment",
  "ListViewChartInstance",
  "OwnerChangeOptionInfo",
  "PicklistValueInfo",
  "PlatformAction",
  "RecordActionHistory",
  "RelationshipDomain",
  "RelationshipInfo",
  "SearchLayout",
  "SiteDetail",
  "UserEntityAccess",
  "UserFieldAccess",
  "UserRecordAccess",
  "Vote",
]);
const NO_QUERY = new Set([
  "ActivityHistory",
  "AggregateResult",
  "AttachedContentDocument",
  "AttachedContentNote",
  "CombinedAttachment",
  "ContentBody",
  "DataType",
  "EmailStatus",
  "FeedLike",
  "FeedSignal",
  "FeedTrackedChange",
  "FolderedContentDocument",
  "LookedUpFromActivity",
  "Name",
  "NoteAndAttachment",
  "OpenActivity",
  "OutgoingEmail",
  "OutgoingEmailRelation",
  "OwnedContentDocument",
  "ProcessInstanceHistory",
  "QuoteTemplateRichTextData",
]);

function unreadable(name: string): string | undefined {
  if (name.endsWith("ChangeEvent")) return "change events are subscribed to, not queried";
  if (name.endsWith("EventStream")) return "event streams are subscribed to, not queried";
  if (NO_QUERY.has(name)) return "Salesforce does not allow to query it";
  if (NEEDS_FILTER.has(name)) return "Salesforce only answers queries that filter it in a certain way";
  return undefined;
}
