/** Reads a project: sluice.yaml and its flow files. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { ConfigError } from "../contracts/index.js";
import { didYouMean } from "./nearest.js";
import { problemAt, sortProblems } from "./problem.js";
import { readFlow } from "./read-flow.js";
import { readProject } from "./read-project.js";
import type { Connectors, Flow, Problem, Project } from "./types.js";
import { YamlFile } from "./yaml-file.js";

export interface LoadOptions {
  /** Folder with sluice.yaml, or the file itself; default: the nearest upward from cwd. */
  readonly project?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectors: Connectors;
}

const PROJECT_FILES = ["sluice.yaml", "sluice.yml"];
/** A flow is a page of text; a data file named .yaml by mistake is not read. */
const MAX_FILE_BYTES = 1024 * 1024;

type Kind = "file" | "folder" | "none";

function kindOf(path: string): Kind {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? "none" : stats.isDirectory() ? "folder" : "file";
  } catch (error) {
    // Links in a circle, a folder on the way that may not be entered: reading it will say so.
    if (error instanceof Error && "code" in error) return "file";
    throw error;
  }
}

function projectFileIn(folder: string): string | undefined {
  return PROJECT_FILES.map((name) => join(folder, name)).find((path) => kindOf(path) === "file");
}

/** Absolute path of sluice.yaml. ConfigError PROJECT_NOT_FOUND. */
function findProject(project: string | undefined, cwd: string): string {
  const fix = "Run `sluice init` to write a first sluice.yaml, or name one with --project.";
  if (project !== undefined) {
    const path = resolve(cwd, project);
    const found =
      kindOf(path) === "folder" ? projectFileIn(path) : kindOf(path) === "file" ? path : undefined;
    if (found !== undefined) return found;
    throw new ConfigError("PROJECT_NOT_FOUND", `there is no sluice.yaml at ${path}`, { place: path, fix });
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = projectFileIn(folder);
    if (found !== undefined) return found;
    if (folder === dirname(folder))
      throw new ConfigError("PROJECT_NOT_FOUND", `there is no sluice.yaml in ${resolve(cwd)} or above it`, {
        place: resolve(cwd),
        fix,
      });
  }
}

/** The file's text, or why it cannot be read. */
function readText(path: string): { readonly text: string } | { readonly reason: string } {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_FILE_BYTES) return { reason: "it is larger than 1 MiB" };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { reason: "it is not UTF-8 text" };
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

function readYaml(
  path: string,
  dir: string,
  options: LoadOptions,
  problems: Problem[],
): YamlFile | undefined {
  const name = relative(dir, path).replaceAll("\\", "/");
  const read = readText(path);
  if ("text" in read) return new YamlFile(name, read.text, { env: options.env, dir: dirname(path) });
  const place = { file: name, line: 1, column: 1, keyPath: "" };
  problems.push(problemAt(place, "FILE_UNREADABLE", `cannot be read: ${read.reason}`));
  return undefined;
}

/** Flow files of a folder in the order of their names; hidden files are left out. */
function yamlFilesIn(folder: string): string[] {
  return (
    readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith("."))
      .sort()
      .map((name) => join(folder, name))
      // A link that leads nowhere or in a circle is no reason to say nothing: reading it gives the reason.
      .filter((path) => kindOf(path) !== "folder")
  );
}

function flowFiles(
  projectFile: string,
  setting: string | undefined,
  file: YamlFile | undefined,
  problems: Problem[],
): string[] {
  const dir = dirname(projectFile);
  if (setting !== undefined) {
    const folder = isAbsolute(setting) ? setting : join(dir, setting);
    if (kindOf(folder) === "folder") return yamlFilesIn(folder);
    if (file !== undefined)
      problems.push(problemAt(file.valuePlace(["flows"]), "FLOWS_NOT_FOUND", `there is no folder ${folder}`));
    return [];
  }
  const folder = join(dir, "flows");
  if (kindOf(folder) === "folder") return yamlFilesIn(folder);
  return yamlFilesIn(dir).filter((path) => !PROJECT_FILES.includes(basename(path)) && path !== projectFile);
}

/** Flows of one name: each place is told with the others', and none is kept. */
function refuseDuplicates(flows: Map<string, Flow>, files: readonly YamlFile[], problems: Problem[]): void {
  const names = new Set(files.map((file) => file.at(["name"])));
  for (const name of names) {
    const sharing = files.filter((file) => file.at(["name"]) === name);
    if (typeof name !== "string" || sharing.length < 2) continue;
    flows.delete(name);
    const places = sharing.map((file) => file.valuePlace(["name"]));
    for (const place of places) {
      const others = places
        .filter((other) => other !== place)
        .map((at) => `${at.file}:${at.line}:${at.column}`);
      const message = `the name "${name}" is also used by ${others.join(", ")}: names are unique`;
      problems.push(problemAt(place, "FLOW_DUPLICATE_NAME", message));
    }
  }
}

/** `trigger: { type: after }` must name another flow, and the chain must not come back to itself. */
function lintAfter(
  flows: Map<string, Flow>,
  files: ReadonlyMap<string, YamlFile>,
  known: readonly string[],
  problems: Problem[],
): void {
  for (const flow of [...flows.values()]) {
    if (flow.trigger.type !== "after") continue;
    const refuse = (code: string, message: string) => {
      const place = files.get(flow.file)?.valuePlace(["trigger", "flow"]);
      if (place !== undefined) problems.push(problemAt(place, code, message));
      flows.delete(flow.name);
    };
    const target = flow.trigger.flow;
    if (!known.includes(target)) {
      refuse("FLOW_UNKNOWN", `there is no flow "${target}"${didYouMean(target, known)}`);
      continue;
    }
    const chain = [flow.name];
    for (let next: string | undefined = target; next !== undefined && chain.length <= flows.size; ) {
      chain.push(next);
      if (next === flow.name) {
        refuse("FLOW_CYCLE", `the flows wait for each other: ${chain.join(" after ")}`);
        break;
      }
      const trigger: Flow["trigger"] | undefined = flows.get(next)?.trigger;
      next = trigger?.type === "after" ? trigger.flow : undefined;
    }
  }
}

/** Never throws for what stands in the files: everything wrong is in `problems`. ConfigError PROJECT_NOT_FOUND when there is no project. */
export function loadProject(options: LoadOptions): Project {
  const path = findProject(options.project, options.cwd);
  const dir = dirname(path);
  const problems: Problem[] = [];
  const file = readYaml(path, dir, options, problems);
  const settings = readProject(
    file ?? new YamlFile(basename(path), "", { env: {}, dir }),
    options.connectors,
    problems,
  );
  const context = {
    connectors: options.connectors,
    connections: settings.connections,
    broken: file === undefined ? undefined : settings.broken,
  };
  const files = new Map<string, YamlFile>();
  const flows = new Map<string, Flow>();
  for (const flowPath of flowFiles(path, settings.flows, file, problems)) {
    const yaml = readYaml(flowPath, dir, options, problems);
    if (yaml === undefined) continue;
    files.set(yaml.name, yaml);
    const flow = readFlow(yaml, context, problems);
    if (flow !== undefined) flows.set(flow.name, flow);
  }
  refuseDuplicates(flows, [...files.values()], problems);
  const names = [...files.values()]
    .map((yaml) => yaml.at(["name"]))
    .filter((name) => typeof name === "string");
  lintAfter(flows, files, names, problems);
  return {
    dir,
    dataDir: resolve(dir, settings.dataDir),
    connections: settings.connections,
    flows,
    buffer: settings.buffer,
    server: settings.server,
    problems: sortProblems(problems, basename(path)),
  };
}
