import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, type Environment, type Log, systemClock } from "../../../core/contracts/index.js";
import { formatProblem, loadProject } from "../../../core/flow/index.js";
import type { Flow } from "../../../core/flow/types.js";
import { type RunHost, type RunOptions, type RunResult, runFlow } from "../../../core/run/index.js";
import { memoryEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { connectorsOf, ScriptedSink, ScriptedSource } from "./connectors.js";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Waits take no time; everything else is the system's clock. */
const hasty: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(1, signal) };

/** A project in a temporary folder, scripted connectors, and an environment. */
export class RunWorld {
  readonly source = new ScriptedSource();
  readonly sink = new ScriptedSink();
  readonly other = new ScriptedSink();
  readonly environment: Environment;
  readonly #dir = mkdtempSync(join(tmpdir(), "sluice-run-"));
  readonly #connectors = connectorsOf(this.source, { first: this.sink, second: this.other });

  constructor(environment?: Environment) {
    this.environment = environment ?? memoryEnvironment({ clock: hasty, random: seededRandom(1) });
  }

  /** Writes the flow (its part behind the name) and returns it checked. */
  flow(yaml: string, buffer = "{}"): Flow {
    mkdirSync(join(this.#dir, "flows"), { recursive: true });
    writeFileSync(
      join(this.#dir, "sluice.yaml"),
      `connections:
  source: { connector: scripted }
  first: { connector: first }
  second: { connector: second }
buffer: ${buffer}
`,
    );
    writeFileSync(join(this.#dir, "flows/things.yaml"), `name: things\n${yaml}`);
    const { flows, problems } = this.host().project;
    if (problems.length > 0) throw new Error(problems.map(formatProblem).join("\n"));
    const flow = flows.get("things");
    if (flow === undefined) throw new Error("no flow");
    return flow;
  }

  host(): RunHost {
    return {
      project: loadProject({ project: this.#dir, cwd: this.#dir, env: {}, connectors: this.#connectors }),
      connectors: this.#connectors,
      environment: this.environment,
      clock: hasty,
      random: seededRandom(7),
      log: silent,
    };
  }

  run(flow: Flow, options: Partial<RunOptions> = {}): Promise<RunResult> {
    return runFlow(this.host(), flow, {
      trigger: "onDemand",
      signal: new AbortController().signal,
      ...options,
    });
  }

  async close(): Promise<void> {
    await this.environment.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** The usual flow: every field to the first sink. */
export const SIMPLE = `source: { connection: source, stream: things }
sinks:
  - { connection: first, name: a }
`;
