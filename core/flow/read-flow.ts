/** One flow file as a Flow: shape, then everything that can be said without asking the source. */
import type { SinkConnector, SourceConnector, WriteMode } from "../contracts/index.js";
import { parseAt } from "./issue.js";
import { didYouMean } from "./nearest.js";
import { problemAt } from "./problem.js";
import { plainFilter, readFilter, readMap, readRules } from "./read-steps.js";
import { type FlowFile, flowFile, sinkEntry, sourceSection } from "./schema/flow-file.js";
import { type Named, Steps } from "./steps.js";
import type { ConnectionConfig, Connectors, Flow, FlowSink, Problem, Trigger } from "./types.js";
import type { YamlFile } from "./yaml-file.js";

/** What the flow may refer to. */
export interface FlowContext {
  readonly connectors: Connectors;
  /** Connections without problems. */
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  /** Connections with problems: name and where it stands (`sluice.yaml:4:3`). Undefined: sluice.yaml cannot be read at all. */
  readonly broken: ReadonlyMap<string, string> | undefined;
}

type Path = readonly PropertyKey[];
type Source = FlowFile["source"];
type Sink = FlowFile["sinks"][number];

interface Reading {
  readonly file: YamlFile;
  readonly problems: Problem[];
  readonly context: FlowContext;
}

function knownConnection(
  name: string,
  path: Path,
  role: "source" | "sink",
  reading: Reading,
): ConnectionConfig | undefined {
  const { file, problems, context } = reading;
  const { connections, broken } = context;
  const refuse = (code: string, message: string) => {
    problems.push(problemAt(file.valuePlace(path), code, message));
    return undefined;
  };
  if (file.isUnresolved(path)) return undefined;
  // With an unreadable sluice.yaml every flow would complain of the same thing.
  if (broken === undefined) return undefined;
  const where = broken.get(name);
  if (where !== undefined)
    return refuse("CONNECTION_BROKEN", `the connection "${name}" has a problem of its own: see ${where}`);
  const fitting = [...connections.values()].filter((connection) => connection.role === role);
  const connection = connections.get(name);
  if (connection === undefined) {
    const names = fitting.map((candidate) => candidate.name);
    const hint = names.length === 0 ? ` (sluice.yaml has no ${role} connection)` : didYouMean(name, names);
    return refuse("CONNECTION_UNKNOWN", `there is no connection "${name}" in sluice.yaml${hint}`);
  }
  if (connection.role !== role) {
    const names = fitting.map((candidate) => candidate.name).join(", ");
    return refuse(
      "CONNECTION_WRONG_ROLE",
      `expected a ${role}: "${name}" uses the connector ${connection.connector}, which is a ${connection.role}${names === "" ? "" : ` (${role}s: ${names})`}`,
    );
  }
  return connection;
}

/** The source's options by its optionsSchema, `{}` where none are given. */
function readOptions(source: Source, reading: Reading): unknown {
  const { file, problems, context } = reading;
  const connection = knownConnection(source.connection, ["source", "connection"], "source", reading);
  const connector: SourceConnector | undefined =
    connection === undefined ? undefined : context.connectors.sources.get(connection.connector);
  if (connector === undefined) return undefined;
  const { streams, optionsSchema, name } = connector.spec;
  if (streams !== "dynamic" && !streams.includes(source.stream)) {
    problems.push(
      problemAt(
        file.valuePlace(["source", "stream"]),
        "STREAM_UNKNOWN",
        `the connector ${name} has no stream "${source.stream}"${didYouMean(source.stream, streams)}`,
      ),
    );
  }
  return parseAt(optionsSchema, source.options ?? {}, file, ["source", "options"], problems);
}

function modeProblem(sink: Sink, source: Source | undefined, connector: SinkConnector) {
  const { writeModes } = connector.spec.capabilities;
  const mode = sink.write ?? "append";
  if (!writeModes.includes(mode)) {
    const message = `the connector ${connector.spec.name} cannot ${mode}: expected one of ${writeModes.join(", ")}`;
    return { key: "write", code: "WRITE_MODE_UNSUPPORTED", message };
  }
  if (mode === "upsert" && sink.key === undefined)
    return {
      key: "key",
      code: "FLOW_MISSING_KEY",
      message: "missing: expected the mapped fields that identify a row, such as [id], for write: upsert",
    };
  if (mode !== "upsert" && sink.key !== undefined)
    return {
      key: "key",
      code: "FLOW_INVALID_ENTRY",
      message: `expected "key" only with write: upsert, found write: ${mode}`,
    };
  if (mode === "replace" && source !== undefined && source.mode !== "full")
    return {
      key: "write",
      code: "FLOW_INVALID_ENTRY",
      message:
        "write: replace needs source.mode: full, since it swaps the whole content for what one run read",
    };
  return undefined;
}

function readSink(
  sink: Sink,
  index: number,
  source: Source | undefined,
  reading: Reading,
): FlowSink | undefined {
  const { file, problems, context } = reading;
  const path = ["sinks", index];
  if (sink.where !== undefined)
    problems.push(
      problemAt(
        file.keyPlace([...path, "where"]),
        "FLOW_UNSUPPORTED",
        "where is not supported yet in this version: use filter, or one flow per sink",
      ),
    );
  const connection = knownConnection(sink.connection, [...path, "connection"], "sink", reading);
  const connector = connection === undefined ? undefined : context.connectors.sinks.get(connection.connector);
  if (connector === undefined) return undefined;
  const wrong = modeProblem(sink, source, connector);
  if (wrong !== undefined) {
    const at = file.has([...path, wrong.key]) ? file.valuePlace([...path, wrong.key]) : file.keyPlace(path);
    const keyPath = file.keyPlace([...path, wrong.key]).keyPath;
    problems.push(problemAt({ ...at, keyPath }, wrong.code, wrong.message));
    return undefined;
  }
  const { connection: _connection, where: _where, ...entry } = sink;
  // What the schema of the sink sees is what stands in the file: defaults are its own business.
  const target = parseAt(connector.spec.targetSchema, entry, file, path, problems);
  const mode: WriteMode = sink.write ?? "append";
  const { line } = file.keyPlace(path);
  return { connection: sink.connection, target, mode, key: sink.key ?? [], place: `${file.name}:${line}` };
}

function readTrigger(trigger: FlowFile["trigger"]): Trigger {
  if (trigger.type !== "schedule") return trigger;
  const { every, cron, ...rest } = trigger;
  return {
    ...rest,
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { everyMs: every }),
  };
}

/** The sink entries that have their shape, with their index in the list. */
function sinkEntries(parsed: FlowFile | undefined, file: YamlFile): [Sink, number][] {
  if (parsed !== undefined) return parsed.sinks.map((sink, index) => [sink, index]);
  const raw = file.at(["sinks"]);
  return (Array.isArray(raw) ? raw : []).flatMap((entry, index): [Sink, number][] => {
    const result = sinkEntry.safeParse(entry);
    return result.success ? [[result.data, index]] : [];
  });
}

function lintMap({ file, problems }: Reading): void {
  const map = file.at(["map"]);
  const star = Array.isArray(map) ? map.lastIndexOf("*") : 0;
  if (star > 0)
    problems.push(
      problemAt(
        file.valuePlace(["map", star]),
        "FLOW_INVALID_ENTRY",
        'expected "*" once and as the first entry: later entries override what it maps',
      ),
    );
}

/** The flow, or undefined; what is wrong is added to `problems`. */
export function readFlow(file: YamlFile, context: FlowContext, problems: Problem[]): Flow | undefined {
  const before = problems.length;
  problems.push(...file.problems);
  if (file.value === undefined) return undefined;
  const parsed = parseAt(flowFile, file.value, file, [], problems);
  const reading: Reading = { file, problems, context };
  // What does not fit has been said; the parts that do are looked at all the same, so that one lint tells everything.
  const source = parsed?.source ?? sourceSection.safeParse(file.at(["source"])).data;
  const options = source === undefined ? undefined : readOptions(source, reading);
  const sinks = sinkEntries(parsed, file).map(([sink, index]) => readSink(sink, index, source, reading));
  if (file.has(["aggregate"]))
    problems.push(
      problemAt(
        file.keyPlace(["aggregate"]),
        "FLOW_UNSUPPORTED",
        "aggregate is not supported yet in this version: land the records and aggregate them in the sink",
      ),
    );
  lintMap(reading);
  if (parsed === undefined || problems.length > before) return undefined;
  const keys: Named[] = parsed.sinks.flatMap((sink, index) =>
    (sink.key ?? []).map((name, at) => ({ name, place: file.valuePlace(["sinks", index, "key", at]) })),
  );
  const filter = readFilter(parsed, file);
  return {
    name: parsed.name,
    description: parsed.description,
    file: file.name,
    source: {
      connection: parsed.source.connection,
      stream: parsed.source.stream,
      mode: parsed.source.mode,
      cursor: parsed.source.cursor,
      start: parsed.source.start,
      lookbackMs: parsed.source.lookback,
      options,
    },
    trigger: readTrigger(parsed.trigger),
    filter: filter === undefined ? undefined : plainFilter(filter),
    errors: parsed.errors,
    sinks: sinks.filter((sink) => sink !== undefined),
    steps: new Steps(filter, readMap(parsed, file), readRules(parsed, file), keys),
  };
}
