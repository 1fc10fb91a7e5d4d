import {
  type Clock,
  ConfigError,
  type Page,
  type ReadPlan,
  type ReadRequest,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { SalesforceApi } from "./api.js";
import { readOptions, type SalesforceOptions } from "./config.js";
import {
  cursorValue,
  firstWindow,
  isoOf,
  nextWindow,
  parseIdCursor,
  parseWindowCursor,
  type Stamp,
  stampOf,
  type WindowCursor,
} from "./cursor.js";
import type { DescribedField, DescribedObject, Describer } from "./describe.js";
import { filterFields, type PushedFilter, pushDown } from "./filter.js";
import { IdKeyset, type Keyset, WindowKeyset } from "./keyset.js";
import { type Reading, readPages } from "./pages.js";
import { resolvePath } from "./relationship.js";
import { and, countText, selectText } from "./soql.js";

/** What reading needs of its connection. */
export interface ReadContext {
  readonly api: SalesforceApi;
  readonly describer: Describer;
  readonly clock: Clock;
}

/** A request checked against describe. */
interface Prepared {
  readonly options: SalesforceOptions;
  readonly filter: PushedFilter;
  readonly soql: (keyset: Keyset) => string;
  readonly where: (keyset: Keyset) => string | undefined;
  readonly parents: readonly string[];
}

/** The pages of a read; see cursor.ts for where it stands between them. */
export async function* readStream(context: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  throwIfCancelled(request.signal);
  const prepared = await prepare(context, request);
  const reading: Reading = {
    place: `salesforce ${request.stream}`,
    api: context.api,
    soql: prepared.soql,
    pageSize: prepared.options.pageSize,
    parents: prepared.parents,
    signal: request.signal,
  };
  if (request.cursorField === undefined) {
    yield* readPages(reading, idKeyset(request));
    return;
  }
  const start = startOf(context, request, prepared.options, request.cursorField);
  if (start.kind === "nothing") {
    yield { records: [], cursor: cursorValue(start.cursor), bytes: 0 };
    return;
  }
  const first = new WindowKeyset(start.window);
  yield* readPages(reading, first);
  if (!start.resumed) return;
  // The frozen window of an earlier run is complete; what came since then follows.
  const end = endOf(context, request, prepared.options);
  if (end <= first.finished.window.to) return;
  yield* readPages(reading, new WindowKeyset(nextWindow(first.finished, end, request.lookbackMs)));
}

/** The query of the first page and what it will find, for one call of the org's day. */
export async function planStream(context: ReadContext, request: ReadRequest): Promise<ReadPlan> {
  const prepared = await prepare(context, request);
  const { pushed, notPushed } = prepared.filter;
  const described = { pushedDown: pushed, notPushedDown: notPushed };
  const keyset = planKeyset(context, request, prepared.options);
  if (keyset === undefined) {
    return { ...described, query: "", window: undefined, records: 0, apiCalls: 0 };
  }
  const count = countText(request.stream, prepared.where(keyset));
  const { totalSize } = await context.api.query(count, prepared.options.pageSize, request.signal);
  return {
    ...described,
    query: prepared.soql(keyset),
    window: keyset.window,
    records: totalSize,
    apiCalls: Math.max(1, Math.ceil(totalSize / prepared.options.pageSize)),
  };
}

function planKeyset(
  context: ReadContext,
  request: ReadRequest,
  options: SalesforceOptions,
): Keyset | undefined {
  if (request.cursorField === undefined) return idKeyset(request);
  const start = startOf(context, request, options, request.cursorField);
  return start.kind === "nothing" ? undefined : new WindowKeyset(start.window);
}

async function prepare(context: ReadContext, request: ReadRequest): Promise<Prepared> {
  const options = readOptions(request.options);
  const object = await context.describer.object(request.stream, request.signal);
  const fields = await selectFields(context, object, request);
  const filter = await pushFilter(context, object, request);
  const where = (keyset: Keyset) => and(filter.where, keyset.condition());
  return {
    options,
    filter,
    where,
    soql: (keyset) =>
      selectText({ fields, object: object.name, where: where(keyset), orderBy: keyset.orderBy }),
    parents: [
      ...new Set(fields.filter((path) => path.includes(".")).map((path) => path.split(".")[0] ?? "")),
    ],
  };
}

/** The fields asked for, the key, the cursor field and what orders versions: each exactly as describe writes it. */
async function selectFields(
  { describer }: ReadContext,
  object: DescribedObject,
  request: ReadRequest,
): Promise<readonly string[]> {
  const { cursorField, schema, signal } = request;
  const names = new Set(["Id", ...request.fields]);
  const order = cursorField ?? schema.cursors[0];
  if (order !== undefined) names.add(order);
  for (const name of names) await resolvePath(describer, object, name, signal);
  return [...names];
}

async function pushFilter(
  { describer }: ReadContext,
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

function idKeyset(request: ReadRequest): IdKeyset {
  const cursor = request.cursor === undefined ? undefined : parseIdCursor(request.cursor);
  // A finished full read is followed by another one, unless the engine missed its end.
  const goesOn = cursor?.done === false || request.resumes === true;
  return new IdKeyset(goesOn ? cursor : undefined);
}

type Start =
  | { readonly kind: "window"; readonly window: WindowCursor; readonly resumed: boolean }
  /** `--to` ends before what was read already. */
  | { readonly kind: "nothing"; readonly cursor: WindowCursor };

function startOf(
  context: ReadContext,
  request: ReadRequest,
  options: SalesforceOptions,
  field: string,
): Start {
  const { from, lookbackMs } = request;
  const end = endOf(context, request, options);
  if (request.cursor === undefined) {
    if (from !== undefined && stampOf(from) >= end) {
      throw new ConfigError(
        "SALESFORCE_EMPTY_WINDOW",
        `the window from ${isoOf(stampOf(from))} to ${isoOf(end)} is empty`,
        {
          fix: "Let start (or --from) lie before --to, and not in the future.",
        },
      );
    }
    return { kind: "window", window: firstWindow(field, from, end, lookbackMs), resumed: false };
  }
  const cursor = parseWindowCursor(request.cursor, field);
  if (!cursor.done) return { kind: "window", window: cursor, resumed: true };
  if (request.to !== undefined && end <= cursor.window.to) return { kind: "nothing", cursor };
  return { kind: "window", window: nextWindow(cursor, end, lookbackMs), resumed: false };
}

/**
 * The frozen end of a new window: now by whichever clock is behind, rounded down to the second. With the clock of
 * Salesforce ahead nothing is lost; with ours ahead a record could change during the read and still stay inside.
 */
function endOf({ api, clock }: ReadContext, request: ReadRequest, options: SalesforceOptions): Stamp {
  return stampOf(request.to ?? clock.now() - api.behindMs - options.settle);
}
