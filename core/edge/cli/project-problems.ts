import { basename, resolve } from "node:path";
import { ConfigError } from "../../contracts/index.js";
import { nearestName } from "../../flow/nearest.js";
import type { Flow, Problem, Project } from "../../flow/types.js";
import { plural } from "./quantity.js";

/** The project's files have problems that forbid what was asked. Exit code 2; each problem is printed. */
export class ProjectProblems extends ConfigError {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const files = new Set(problems.map((problem) => problem.file)).size;
    super(
      "PROJECT_INVALID",
      `${plural(problems.length, "problem")} in ${plural(files, "file")}; nothing was done`,
      {
        fix: "Correct them; `sluice validate` checks again without running anything.",
      },
    );
    this.problems = problems;
  }
}

/** Problems of sluice.yaml itself. */
export function settingsProblems(project: Project): Problem[] {
  return project.problems.filter(({ file }) => /^sluice\.ya?ml$/.test(basename(file)));
}

/**
 * Problems of sluice.yaml, by whether they concern the named connections: `other` ones stand in connections that are
 * not used, such as a variable that is not set for another flow's warehouse, and are no reason to refuse.
 */
export function connectionProblems(
  project: Project,
  used: ReadonlySet<string>,
): { readonly own: readonly Problem[]; readonly other: readonly Problem[] } {
  const own: Problem[] = [];
  const other: Problem[] = [];
  for (const problem of settingsProblems(project)) {
    const connection = connectionOf(problem);
    (connection !== undefined && !used.has(connection) ? other : own).push(problem);
  }
  return { own, other };
}

/** The connection that a problem of sluice.yaml stands in. */
export function connectionOf(problem: Problem): string | undefined {
  return /^connections\.([a-z0-9_-]+)/.exec(problem.keyPath)?.[1];
}

/** `name` as the user typed it: the flow's name, its file's name without ending, or a path to the file. */
function fileMatches(project: Project, file: string, name: string, cwd: string): boolean {
  return basename(file).replace(/\.ya?ml$/, "") === name || resolve(project.dir, file) === resolve(cwd, name);
}

/** What `names` select: the good flows, the problems that concern them, and those of connections they do not use. */
export interface Selection {
  readonly flows: readonly Flow[];
  readonly problems: readonly Problem[];
  readonly otherProblems: readonly Problem[];
}

/**
 * Looks flows up by name (or file). A flow with problems is not among the project's flows, so it is recognised by its
 * file. ConfigError FLOW_UNKNOWN for a name that is neither.
 */
export function selectFlows(project: Project, names: readonly string[], cwd: string): Selection {
  const flows: Flow[] = [];
  const problems = new Set<Problem>();
  for (const name of new Set(names)) {
    const flow =
      project.flows.get(name) ??
      [...project.flows.values()].find((candidate) => fileMatches(project, candidate.file, name, cwd));
    const broken = project.problems.filter((problem) => fileMatches(project, problem.file, name, cwd));
    for (const problem of broken) problems.add(problem);
    if (flow !== undefined && !flows.includes(flow)) flows.push(flow);
    if (flow === undefined && broken.length === 0) throw unknownFlow(project, name);
  }
  const used = new Set(
    flows.flatMap((flow) => [flow.source.connection, ...flow.sinks.map((sink) => sink.connection)]),
  );
  const { own, other } = connectionProblems(project, used);
  // A flow with problems may have them because of a connection, and which it uses is not known.
  const refused = problems.size > 0 ? settingsProblems(project) : own;
  return { flows, problems: [...refused, ...problems], otherProblems: problems.size > 0 ? [] : other };
}

function unknownFlow(project: Project, name: string): ConfigError {
  const names = [...project.flows.keys()].sort();
  const near = nearestName(name, names);
  const broken = new Set(project.problems.map((problem) => problem.file)).size;
  const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
  const others =
    broken === 0 ? "" : ` ${plural(broken, "file")} with problems may hold it: see \`sluice validate\`.`;
  return new ConfigError("FLOW_UNKNOWN", `there is no flow named ${name}${hint}`, {
    fix: names.length === 0 ? `No flow is ready.${others}` : `Name one of: ${names.join(", ")}.${others}`,
  });
}
