/** sluice.yaml: the connections by their connectors' schemas, and the settings of buffer and data directory. */
import { ALARM_METRICS, ExactNumber, Secret } from "../contracts/index.js";
import { parseAt } from "./issue.js";
import { didYouMean } from "./nearest.js";
import { problemAt } from "./problem.js";
import { budget as budgetSchema, type ProjectFile, projectFile } from "./schema/project-file.js";
import { nameMessage, namePattern } from "./schema/words.js";
import type {
  AlarmRule,
  BufferSettings,
  ConnectionConfig,
  Connectors,
  Problem,
  ServerSettings,
} from "./types.js";
import type { YamlFile } from "./yaml-file.js";

export interface ProjectSettings {
  /** As written: relative to sluice.yaml, or absolute. */
  readonly dataDir: string;
  /** Undefined: the default. */
  readonly flows: string | undefined;
  readonly buffer: BufferSettings;
  readonly server: ServerSettings;
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  /** Connections that are there but wrong, with the place of each. Undefined: the connections could not be read. */
  readonly broken: ReadonlyMap<string, string> | undefined;
}

/** Said in place of a part that the grammar has and this version has not. */
function refuseUnsupported(file: YamlFile, problems: Problem[]): void {
  const refuse = (path: readonly string[], message: string) =>
    problems.push(problemAt(file.valuePlace(path), "FLOW_UNSUPPORTED", message));
  if (file.at(["buffer", "type"]) === "sqs")
    refuse(["buffer", "type"], "buffer.type sqs is not supported yet in this version: use durable");
  if (file.at(["store", "type"]) === "postgres")
    refuse(["store", "type"], "store.type postgres is not supported yet in this version: use durable");
}

function readConnection(
  name: string,
  file: YamlFile,
  connectors: Connectors,
  problems: Problem[],
): ConnectionConfig | undefined {
  const path = ["connections", name];
  const entry = file.at(path);
  if (!namePattern(30).test(name)) {
    problems.push(
      problemAt(file.keyPlace(path), "CONNECTION_INVALID_NAME", `${nameMessage(30)}, found "${name}"`),
    );
    return undefined;
  }
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return undefined;
  if (entry instanceof Secret || entry instanceof ExactNumber) return undefined;
  const { connector: written, budget, ...config } = entry;
  const connector = written instanceof Secret ? written.open() : written;
  // A missing or misshapen name has been reported with the shape of the file.
  if (typeof connector !== "string") return undefined;
  const source = connectors.sources.get(connector);
  const sink = connectors.sinks.get(connector);
  const schema = source?.spec.configSchema ?? sink?.spec.configSchema;
  if (schema === undefined) {
    const names = [...connectors.sources.keys(), ...connectors.sinks.keys()];
    problems.push(
      problemAt(
        file.valuePlace([...path, "connector"]),
        "CONNECTOR_UNKNOWN",
        `there is no connector "${connector}"${didYouMean(connector, names)}`,
      ),
    );
    return undefined;
  }
  const before = problems.length;
  if (budget !== undefined && source === undefined) {
    const message = `expected no budget: ${connector} is a sink, budgets are for sources`;
    problems.push(problemAt(file.keyPlace([...path, "budget"]), "CONNECTION_BUDGET", message));
  }
  // A budget of another shape has been reported with the shape of the file.
  const rule = budget === undefined ? undefined : budgetSchema.safeParse(budget).data;
  parseAt(schema, config, file, path, problems);
  if (problems.length > before) return undefined;
  // The connector parses it again, into its own types: what it gets is what the user wrote.
  return {
    name,
    connector,
    config,
    role: source === undefined ? "sink" : "source",
    ...(rule === undefined ? {} : { budget: rule }),
  };
}

function alarmRules({ buffer }: ProjectFile, file: YamlFile): AlarmRule[] {
  return buffer.alarms.map((entry, index) => ({
    queue: entry.queue,
    thresholds: ALARM_METRICS.flatMap((metric) => {
      const threshold = entry[metric];
      return threshold === undefined ? [] : [{ metric, threshold }];
    }),
    place: `${file.name}:${file.keyPlace(["buffer", "alarms", index]).line}`,
  }));
}

/** Undefined: the file cannot be used at all. What is wrong is added to `problems`. */
export function readProject(file: YamlFile, connectors: Connectors, problems: Problem[]): ProjectSettings {
  problems.push(...file.problems);
  // An empty sluice.yaml is one with all defaults.
  const parsed =
    file.value === undefined ? undefined : parseAt(projectFile, file.value ?? {}, file, [], problems);
  const settings = parsed ?? projectFile.parse({});
  refuseUnsupported(file, problems);
  const connections = new Map<string, ConnectionConfig>();
  const broken = new Map<string, string>();
  const entries = file.at(["connections"]);
  const readable = typeof entries === "object" && entries !== null && !Array.isArray(entries);
  for (const name of readable ? Object.keys(entries) : []) {
    const connection = readConnection(name, file, connectors, problems);
    const place = file.keyPlace(["connections", name]);
    const inside = file.problems.some((problem) => problem.keyPath.startsWith(`${place.keyPath}.`));
    if (connection !== undefined && !inside) connections.set(name, connection);
    else broken.set(name, `${place.file}:${place.line}:${place.column}`);
  }
  const { buffer, server } = settings;
  return {
    dataDir: settings.dataDir,
    flows: settings.flows,
    buffer: {
      type: buffer.type,
      sync: buffer.sync,
      visibilityTimeoutMs: buffer.visibilityTimeout,
      maxReceiveCount: buffer.maxReceiveCount,
      retentionMs: buffer.retention,
      messageBytes: buffer.messageSize,
      highWaterBytes: buffer.highWater,
      alarms: parsed === undefined ? undefined : alarmRules(parsed, file),
    },
    server: { host: server.host, sqsPort: server.sqsPort },
    connections,
    broken: file.value === undefined ? undefined : broken,
  };
}
