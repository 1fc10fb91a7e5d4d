import { ConfigError, type Log, type ReadRequest } from "../../core/contracts/index.js";
import { type BulkColumns, bulkColumns } from "./bulk-columns.js";
import { columnsOf } from "./column-chunks.js";
import { readOptions, type SalesforceOptions } from "./config.js";
import type { DescribedField, DescribedObject, Describer } from "./describe.js";
import { filterFields, type PushedFilter, pushDown } from "./filter.js";
import type { Keyset } from "./keyset.js";
import { type ResolvedPath, resolvePath } from "./relationship.js";
import { and, countText, selectText } from "./soql.js";
import type { WideQuery } from "./wide.js";

/** A request checked against describe. */
export interface Prepared {
  readonly options: SalesforceOptions;
  readonly object: DescribedObject;
  readonly filter: PushedFilter;
  /** Deleted records are wanted, and the object marks them. */
  readonly deleted: boolean;
  /** The queries of what the keyset has still to read: in order for REST, in none for Bulk, their number. */
  readonly soql: (keyset: Keyset) => string;
  readonly bulkSoql: (keyset: Keyset) => string;
  readonly countSoql: (keyset: Keyset) => string;
  /** The query without any place. */
  readonly wholeSoql: string;
  readonly columns: BulkColumns;
  /** For what does not fit into one URL. */
  readonly wide: WideQuery;
  /** Relationships that are selected. */
  readonly parents: readonly string[];
}

interface PrepareContext {
  readonly describer: Describer;
  readonly log: Log;
}

/** ConfigError for fields that describe does not show. */
export async function prepare(context: PrepareContext, request: ReadRequest): Promise<Prepared> {
  const options = readOptions(request.options);
  const object = await context.describer.object(request.stream, request.signal);
  const deleted = options.deleted === "include" && object.fields.has("IsDeleted");
  const fields = await selectFields(context, object, request, deleted);
  const filter = await pushFilter(context, object, request);
  warn(context.log, object, request, options, fields);
  const columns = bulkColumns(fields);
  const where = (keyset: Keyset) => and(filter.where, keyset.condition());
  const paths = [...fields.keys()];
  const query = { object: object.name };
  const [version] = request.schema.cursors;
  const key = [...new Set(["Id", request.cursorField, version].filter((name) => name !== undefined))];
  return {
    options,
    object,
    filter,
    deleted,
    soql: (keyset) => selectText({ ...query, fields: paths, where: where(keyset), orderBy: keyset.orderBy }),
    bulkSoql: (keyset) => selectText({ ...query, fields: columns.select, where: where(keyset), orderBy: [] }),
    countSoql: (keyset) => countText(object.name, where(keyset)),
    wholeSoql: selectText({ ...query, fields: paths, where: filter.where, orderBy: [] }),
    columns,
    wide: {
      object: object.name,
      key,
      version,
      names: [...columnsOf(paths).keys()],
      columns: columnsOf(paths.filter((path) => !key.includes(path))),
      filter: filter.where,
    },
    parents: [...new Set(paths.filter((path) => path.includes(".")).map((path) => path.split(".")[0] ?? ""))],
  };
}

/** The fields asked for, the key, the cursor field and what orders versions: each exactly as describe writes it. */
async function selectFields(
  { describer }: PrepareContext,
  object: DescribedObject,
  request: ReadRequest,
  deleted: boolean,
): Promise<ReadonlyMap<string, ResolvedPath>> {
  const { cursorField, schema, signal } = request;
  const names = new Set(["Id", ...request.fields]);
  const order = cursorField ?? schema.cursors[0];
  if (order !== undefined) names.add(order);
  if (deleted) names.add("IsDeleted");
  const fields = new Map<string, ResolvedPath>();
  for (const name of names) fields.set(name, await resolvePath(describer, object, name, signal));
  return fields;
}

async function pushFilter(
  { describer }: PrepareContext,
  object: DescribedObject,
  request: ReadRequest,
): Promise<PushedFilter> {
  const fields = new Map<string, DescribedField>();
  for (const name of new Set(filterFields(request.filter))) {
    const known = await resolvePath(describer, object, name, request.signal).catch((error: unknown) => {
      // A path into a compound field, such as BillingAddress.city, is the engine's alone.
      if (error instanceof ConfigError) return undefined;
      throw error;
    });
    if (known?.certain) fields.set(name, known.field);
  }
  return pushDown(request.filter, (name) => fields.get(name));
}

/** What the flow asks for and Salesforce cannot give. */
function warn(
  log: Log,
  object: DescribedObject,
  request: ReadRequest,
  options: SalesforceOptions,
  fields: ReadonlyMap<string, ResolvedPath>,
): void {
  if (request.cursorField === undefined) return;
  const calculated = [...fields].filter(([, { field }]) => field.calculated === true).map(([path]) => path);
  if (calculated.length > 0) {
    log.warn(
      `${object.name}: formula fields change without moving ${request.cursorField}; read the object in full from time to time`,
      { code: "SALESFORCE_FORMULA_FIELDS", fields: calculated.join(", ") },
    );
  }
  if (options.deleted !== "include") return;
  if (!object.fields.has("IsDeleted")) {
    log.warn(`${object.name} has no IsDeleted: its deletes cannot be told`, {
      code: "SALESFORCE_DELETES_UNKNOWN",
    });
    return;
  }
  const known = new Set(["Id", "IsDeleted", request.cursorField]);
  const others = filterFields(request.filter).filter((field) => !known.has(field));
  if (others.length === 0) return;
  log.warn(
    `${object.name}: a hard delete has no fields but its Id, so that the filter leaves it out; deletes of the recycle bin are not concerned`,
    { code: "SALESFORCE_DELETES_FILTERED", fields: others.join(", ") },
  );
}
