import { z } from "zod";
import type { Project } from "../../../flow/types.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { names } from "../input.js";
import { selectFlows } from "../project-problems.js";
import { printValidation } from "../validation.js";

export const validate = defineCommand({
  name: "validate",
  summary: "check sluice.yaml and the flow files, without connecting to anything",
  details: "Exits with 0 when all is well and with 2 when something must be corrected.",
  arguments: [{ name: "flows", form: "[flow...]", description: "names or files of flows (default: all)" }],
  examples: [
    "sluice validate",
    "sluice validate salesforce-accounts",
    "sluice validate flows/accounts.yaml --json",
  ],
  input: z.object({ flows: names }),
  async run({ flows: wanted }, { shell, output, workspace }) {
    const project = await workspace.project();
    const { flows, problems } =
      wanted.length === 0 ? everything(project) : chosen(project, wanted, shell.cwd);
    printValidation(flows, problems, output);
    return problems.length === 0 ? EXIT.done : EXIT.configuration;
  },
});

function everything(project: Project) {
  return { flows: [...project.flows.values()], problems: project.problems };
}

function chosen(project: Project, names: readonly string[], cwd: string) {
  const { flows, problems, otherProblems } = selectFlows(project, names, cwd);
  return { flows, problems: [...otherProblems, ...problems] };
}
