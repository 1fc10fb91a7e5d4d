import { existsSync } from "node:fs";
import { ConfigError, type Environment, type Log } from "../../contracts/index.js";
import { formatProblem } from "../../flow/problem.js";
import type { Connectors, Flow, Project } from "../../flow/types.js";
import type { Progress, RunHost } from "../../run/types.js";
import type { Redactor } from "../redactor.js";
import { type Failure, failureOf } from "./failure.js";
import type { Output } from "./output.js";
import { connectionProblems, ProjectProblems, selectFlows } from "./project-problems.js";
import { plural } from "./quantity.js";
import type { Shell } from "./shell.js";

/**
 * The project a command works on. Everything is opened when first asked for, so that a command pays only for what it
 * uses: `validate` opens no data directory, `status` loads no client library.
 */
export class Workspace {
  readonly log: Log;
  readonly #shell: Shell;
  readonly #path: string | undefined;
  readonly #output: Output;
  readonly #redactor: Redactor;
  #project: Promise<Project> | undefined;
  #environment: Promise<Environment> | undefined;
  #host: RunHost | undefined;

  constructor(shell: Shell, path: string | undefined, output: Output, redactor: Redactor, log: Log) {
    this.#shell = shell;
    this.#path = path;
    this.#output = output;
    this.#redactor = redactor;
    this.log = log;
  }

  connectors(): Promise<Connectors> {
    return this.#shell.connectors();
  }

  /** ConfigError when there is no sluice.yaml. Problems inside the files are left to the caller. */
  project(): Promise<Project> {
    this.#project ??= this.#loadProject();
    return this.#project;
  }

  async #loadProject(): Promise<Project> {
    const { loadProject } = await import("../../flow/index.js");
    const project = loadProject({
      project: this.#path,
      cwd: this.#shell.cwd,
      env: this.#shell.env,
      connectors: await this.connectors(),
    });
    this.#redactor.learn(project);
    return project;
  }

  /** The project for a command that only looks at history and queues: problems of the files are one warning. */
  async projectToLookAt(): Promise<Project> {
    const project = await this.project();
    if (project.problems.length > 0) {
      this.#output.warn(
        `the project has ${plural(project.problems.length, "problem")}; flows that have one are left out. See \`sluice validate\`.`,
      );
    }
    return project;
  }

  /**
   * The project for a command that uses these connections. ProjectProblems when one of them has problems, or
   * sluice.yaml as a whole; problems of other connections are warnings.
   */
  async projectToConnect(connections: readonly string[]): Promise<Project> {
    const project = await this.project();
    const { own, other } = connectionProblems(project, new Set(connections));
    if (own.length > 0) throw new ProjectProblems(own);
    for (const problem of other) this.#output.warn(formatProblem(problem));
    return project;
  }

  /** The named flows, in that order, ready to run. ProjectProblems when one of them, or sluice.yaml, has problems. */
  async flows(names: readonly string[]): Promise<readonly Flow[]> {
    const { flows, problems, otherProblems } = selectFlows(await this.project(), names, this.#shell.cwd);
    if (problems.length > 0) throw new ProjectProblems(problems);
    for (const problem of otherProblems) this.#output.warn(formatProblem(problem));
    return flows;
  }

  async flow(name: string): Promise<Flow> {
    const [flow] = await this.flows([name]);
    if (flow === undefined) throw new RangeError(`no flow was selected by ${name}`);
    return flow;
  }

  /** The data directory, created where missing. */
  async environment(): Promise<Environment> {
    this.#environment ??= this.#openEnvironment(false);
    return this.#environment;
  }

  /**
   * The data directory as it is; undefined when nothing has ever run here. `look` opens it read-only, beside whatever
   * runs; `change` as `environment` does. A command uses one of the two: a process opens the directory once.
   */
  async existingEnvironment(purpose: "look" | "change"): Promise<Environment | undefined> {
    const { dataDir } = await this.project();
    if (!existsSync(dataDir)) return undefined;
    if (purpose === "change") return this.environment();
    this.#environment ??= this.#openEnvironment(true);
    try {
      return await this.#environment;
    } catch (error) {
      // The folder is there, but no run has come as far as to write into it.
      if (error instanceof ConfigError && error.code === "DATA_DIR_MISSING") return undefined;
      throw error;
    }
  }

  async #openEnvironment(readOnly: boolean): Promise<Environment> {
    const { memoryEnvironment, openEnvironment } = await import("../../store/index.js");
    const { dataDir, buffer } = await this.project();
    const { clock, random } = this.#shell;
    if (buffer.type === "memory") return memoryEnvironment({ clock, random });
    return openEnvironment({ dataDir, clock, random, readOnly });
  }

  /** What core/run needs. */
  async host(onProgress?: (progress: Progress) => void): Promise<RunHost> {
    const host: RunHost = {
      project: await this.project(),
      connectors: await this.connectors(),
      environment: await this.environment(),
      clock: this.#shell.clock,
      random: this.#shell.random,
      log: this.log,
      ...(onProgress === undefined ? {} : { onProgress }),
    };
    this.#host = host;
    return host;
  }

  /** An error as it is shown: without secrets. */
  failureOf(error: unknown): Failure {
    return failureOf(error, this.#redactor);
  }

  /** Closes what was opened and removes the temporary files of connections. */
  async close(): Promise<void> {
    if (this.#host !== undefined) {
      const { removeTmpDir } = await import("../../run/index.js");
      removeTmpDir(this.#host);
    }
    const environment = await this.#environment?.catch(() => undefined);
    await environment?.close();
  }
}
