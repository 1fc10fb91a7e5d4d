import { z } from "zod";
import type { CheckReport, Sink, Source } from "../../../contracts/index.js";
import { formatProblem } from "../../../flow/problem.js";
import type { Project } from "../../../flow/types.js";
import { type CommandContext, defineCommand } from "../command.js";
import { connectionNamed } from "../connection.js";
import { EXIT } from "../exit-code.js";
import { type Failure, failureText } from "../failure.js";
import { names } from "../input.js";
import type { Output } from "../output.js";
import { connectionOf, connectionProblems, ProjectProblems } from "../project-problems.js";
import type { Workspace } from "../workspace.js";

/** What `check` found out about one connection. */
interface Finding {
  readonly connection: string;
  /** Null where sluice.yaml must be corrected before there is anything to connect to. */
  readonly connector: string | null;
  readonly role: "source" | "sink" | null;
  readonly report: CheckReport | null;
  readonly error: Failure | null;
}

export const check = defineCommand({
  name: "check",
  summary: "connect, say who we are there and what is missing",
  details:
    "Exits with 3 where a login is refused, with 2 where sluice.yaml must be corrected, with 1 where the other side\n" +
    "does not answer; with several connections, with the code of the first that failed. Warnings do not fail.",
  arguments: [
    { name: "connections", form: "[connection...]", description: "names from sluice.yaml (default: all)" },
  ],
  examples: ["sluice check", "sluice check salesforce lake --json"],
  input: z.object({ connections: names }),
  async run({ connections }, context) {
    const { output, workspace } = context;
    const all = connections.length === 0;
    const project = await (all ? workspace.project() : workspace.projectToConnect(connections));
    // Asked for all of them, those that cannot even be read are failures beside the others.
    const findings = all ? unreadable(project, workspace) : [];
    let exitCode: number = findings.length > 0 ? EXIT.configuration : EXIT.done;
    const host = await workspace.host();
    const { exitCodeOf, connectSink, connectSource, grantOwner } = await import("../../../run/index.js");
    const wanted = all ? [...project.connections.keys()] : [...new Set(connections)];
    // A name that is mistyped is told before the first connection is made.
    for (const name of wanted) connectionNamed(project, name);
    for (const name of wanted) {
      const { connector, role } = connectionNamed(project, name);
      const about = { connection: name, connector, role };
      try {
        const owner = grantOwner(host, name);
        // Without a word to the account: it has said what it has to say.
        if (owner !== undefined) await host.grants?.assertLive(owner);
        const opened = role === "source" ? connectSource(host, name) : connectSink(host, name);
        const report = await checked(opened, context);
        findings.push({ ...about, report, error: null });
      } catch (error) {
        findings.push({ ...about, report: null, error: workspace.failureOf(error) });
        if (exitCode === EXIT.done) exitCode = exitCodeOf(error);
        if (context.shell.signal.aborted) break;
      }
    }
    output.result(findings.map(document), () =>
      findings.length === 0
        ? "sluice.yaml names no connections."
        : findings.map((finding) => findingText(finding, output)).join("\n\n"),
    );
    return exitCode;
  },
});

/** A finding for each connection with problems in sluice.yaml. ProjectProblems for problems of the file as a whole. */
function unreadable(project: Project, workspace: Workspace): Finding[] {
  const { own, other } = connectionProblems(project, new Set());
  if (own.length > 0) throw new ProjectProblems(own);
  return [...new Set(other.map(connectionOf))].map((name = "") => ({
    connection: name,
    connector: null,
    role: null,
    report: null,
    error: workspace.failureOf(
      new ProjectProblems(other.filter((problem) => connectionOf(problem) === name)),
    ),
  }));
}

async function checked(opened: Source | Sink, { shell }: CommandContext): Promise<CheckReport> {
  try {
    return await opened.check(shell.signal);
  } finally {
    await opened.close();
  }
}

function document({ report, ...about }: Finding) {
  return {
    ...about,
    identity: report?.identity ?? null,
    details: report?.details ?? {},
    warnings: report?.warnings ?? [],
  };
}

function findingText({ connection, connector, role, report, error }: Finding, output: Output): string {
  const about = connector === null ? "sluice.yaml" : `${connector}, ${role}`;
  const head = `${output.paint("bold", connection)} (${about})`;
  if (report === null || error !== null) {
    const text =
      error === null ? "" : failureText(error, formatProblem, (style, words) => output.paint(style, words));
    return `${head}: ${output.paint("red", "failed")}\n${indent(text)}`;
  }
  return [
    `${head}: ${output.paint("green", "ok")}, ${report.identity}`,
    ...Object.entries(report.details).map(([name, value]) => `  ${name}: ${value}`),
    ...report.warnings.map((warning) => `  ${output.paint("yellow", "warning")}: ${warning}`),
  ].join("\n");
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
