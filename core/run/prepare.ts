import {
  type AnswersAhead,
  ConfigError,
  type Field,
  ORDER_COLUMN,
  type ReadRequest,
  type Schema,
  type Source,
  type StreamSchema,
  type Value,
} from "../contracts/index.js";
import { compileFlow, sourcePaths } from "../flow/index.js";
import type { CompileInput, Flow, Plan } from "../flow/types.js";

/** A flow made ready against what its source says today. */
export interface PreparedFlow {
  readonly flow: Flow;
  readonly stream: StreamSchema;
  readonly plan: Plan;
  readonly mode: "incremental" | "full";
  readonly cursorField: string | undefined;
  /** Source field whose value orders versions of a record; undefined where the stream has no cursor. */
  readonly orderField: string | undefined;
  /** Columns of the messages: the mapped fields; for upserts ORDER_COLUMN behind them. */
  readonly schemas: { readonly plain: Schema; readonly ordered: Schema };
  /** Names the feed a checkpoint belongs to: another connection, stream, mode or cursor starts anew. */
  readonly feed: string;
}

/** Asks the source for the stream and compiles the flow against it. ConfigError with places for what does not fit. */
export async function prepareFlow(
  source: Source,
  flow: Flow,
  signal: AbortSignal,
  onUnlike?: CompileInput["onUnlike"],
): Promise<PreparedFlow> {
  const stream = await placed(`${flow.file} source.stream`, source.describe(flow.source.stream, signal));
  const fields: Field[] = [...stream.fields];
  for (const path of sourcePaths(flow, stream.fields)) {
    if (source.resolvePath === undefined || fields.some((field) => field.name === path)) continue;
    const field = await placed(`${flow.file} ${path}`, source.resolvePath(stream, path, signal));
    fields.push({ ...field, name: path });
  }
  const mode = flow.source.mode ?? (stream.cursors.length > 0 ? "incremental" : "full");
  const cursorField = mode === "incremental" ? cursorOf(flow, stream) : undefined;
  const plan = compileFlow({ flow, fields, ...(onUnlike === undefined ? {} : { onUnlike }) });
  return {
    flow,
    stream,
    plan,
    mode,
    cursorField,
    orderField: cursorField ?? stream.cursors[0],
    schemas: {
      plain: plan.schema,
      ordered: { fields: [...plan.schema.fields, { name: ORDER_COLUMN, type: "string" }] },
    },
    feed: [flow.source.connection, flow.source.stream, mode, cursorField ?? ""].join("/"),
  };
}

/** The source knows what is wrong with a name; the author of the flow looks for where it stands. */
async function placed<T>(place: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, fix } = error;
    throw new ConfigError(code, message, { place, cause: error, ...(fix === undefined ? {} : { fix }) });
  }
}

function cursorOf(flow: Flow, stream: StreamSchema): string {
  const wanted = flow.source.cursor ?? stream.cursors[0];
  if (wanted !== undefined && stream.cursors.includes(wanted)) return wanted;
  throw new ConfigError(
    "FLOW_CURSOR",
    wanted === undefined
      ? `${flow.source.stream} has no field that can serve as a cursor`
      : `${wanted} cannot serve as the cursor of ${flow.source.stream}`,
    {
      place: `${flow.file} source.cursor`,
      fix:
        stream.cursors.length === 0
          ? "Set source.mode: full."
          : `Set source.cursor to one of: ${stream.cursors.join(", ")}.`,
    },
  );
}

/** The source fields a flow needs: what it maps, filters and validates, the key, and what orders records. */
export function readRequest(
  prepared: PreparedFlow,
  options: {
    cursor: Value | undefined;
    resumes?: boolean;
    from?: number;
    to?: number;
    ahead?: AnswersAhead;
    signal: AbortSignal;
  },
): ReadRequest {
  const { flow, stream, plan, orderField } = prepared;
  const from = options.from ?? flow.source.start;
  const fields = new Set([...stream.primaryKey, ...plan.sourceFields]);
  if (orderField !== undefined) fields.add(orderField);
  return {
    stream: stream.stream,
    schema: stream,
    mode: prepared.mode,
    cursorField: prepared.cursorField,
    cursor: options.cursor,
    ...(options.resumes === true ? { resumes: true } : {}),
    ...(from === undefined ? {} : { from }),
    ...(options.to === undefined ? {} : { to: options.to }),
    ...(options.ahead === undefined ? {} : { ahead: options.ahead }),
    lookbackMs: flow.source.lookbackMs ?? stream.defaultLookbackMs,
    fields: [...fields],
    filter: flow.filter,
    options: flow.source.options,
    signal: options.signal,
  };
}
