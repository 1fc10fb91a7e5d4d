import { existsSync } from "node:fs";
import { ConfigError, type Environment, type Log, Secret, type Store } from "../../contracts/index.js";
import { formatProblem } from "../../flow/problem.js";
import type { Connectors, Flow, Project } from "../../flow/types.js";
import type { Grants } from "../../run/grants.js";
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
  /** Of a project whose buffer is in memory: tokens outlive it. */
  #tokenEnvironment: Promise<Environment> | undefined;
  #grants: Promise<Grants> | undefined;
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

  /** The data directory for a command that has looked at it and finds something to write. */
  async environmentToChange(): Promise<Environment> {
    const looked = await this.#environment;
    this.#environment = undefined;
    await looked?.close();
    return this.environment();
  }

  async #openEnvironment(readOnly: boolean): Promise<Environment> {
    const { memoryEnvironment, openEnvironment } = await import("../../store/index.js");
    const { dataDir, buffer } = await this.project();
    const { clock, random } = this.#shell;
    if (buffer.type === "memory") return memoryEnvironment({ clock, random });
    return openEnvironment({ dataDir, clock, random, readOnly, sync: buffer.sync });
  }

  /** What connections that somebody signs in to have been granted. */
  async grants(): Promise<Grants> {
    this.#grants ??= this.#openGrants();
    return this.#grants;
  }

  async #openGrants(): Promise<Grants> {
    const { TOKEN_KEY_VARIABLE, TokenCipher } = await import("../../store/index.js");
    const { Grants } = await import("../../run/index.js");
    const { clock, random, env } = this.#shell;
    const { dataDir, buffer } = await this.project();
    const given = env[TOKEN_KEY_VARIABLE];
    const key = given === undefined || given === "" ? undefined : new Secret(given);
    this.#redactor.learn(key);
    return new Grants({
      environment: () => (buffer.type === "memory" ? this.#durableTokens(false) : this.environment()),
      cipher: new TokenCipher(dataDir, key),
      clock,
      random,
      log: this.log,
      onSecret: (secret) => this.#redactor.learn(secret),
    });
  }

  /** The stored grants as they are, without their tokens; undefined when nothing has ever been stored here. */
  async grantStore(): Promise<Store | undefined> {
    const { dataDir, buffer } = await this.project();
    if (buffer.type !== "memory") return (await this.existingEnvironment("look"))?.store;
    if (!existsSync(dataDir)) return undefined;
    try {
      return (await this.#durableTokens(true)).store;
    } catch (error) {
      if (error instanceof ConfigError && error.code === "DATA_DIR_MISSING") return undefined;
      throw error;
    }
  }

  async #durableTokens(readOnly: boolean): Promise<Environment> {
    const { openEnvironment } = await import("../../store/index.js");
    const { dataDir } = await this.project();
    const { clock, random } = this.#shell;
    this.#tokenEnvironment ??= openEnvironment({ dataDir, clock, random, readOnly, sync: "commit" });
    return this.#tokenEnvironment;
  }

  /** What core/run needs. */
  async host(onProgress?: (progress: Progress) => void): Promise<RunHost> {
    const { withBudgets } = await import("../../run/index.js");
    const host = withBudgets({
      project: await this.project(),
      connectors: await this.connectors(),
      environment: await this.environment(),
      clock: this.#shell.clock,
      random: this.#shell.random,
      log: this.log,
      grants: await this.grants(),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
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
    const grants = await this.#grants?.catch(() => undefined);
    await grants?.close();
    for (const opened of [this.#environment, this.#tokenEnvironment]) {
      const environment = await opened?.catch(() => undefined);
      await environment?.close();
    }
  }
}
