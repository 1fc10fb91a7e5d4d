import { z } from "zod";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { count, optionalText } from "../input.js";
import { selectFlows } from "../project-problems.js";
import { countText, durationText, timeText } from "../quantity.js";
import { type RunDocument, runDocument } from "../run-report.js";
import { table } from "../table.js";

export const runs = defineCommand({
  name: "runs",
  summary: "list past and present runs, newest first",
  arguments: [{ name: "flow", form: "[flow]", description: "runs of this flow only" }],
  options: [{ flags: "--limit <count>", description: "at most so many (default: 20; 0: all)" }],
  examples: ["sluice runs", "sluice runs salesforce-accounts --limit 5", "sluice runs --json --limit 0"],
  input: z.object({ flow: optionalText, limit: count(20) }),
  async run({ flow, limit }, { shell, output, workspace }) {
    const project = await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("look");
    // One more than is shown, to know whether there are more.
    const most = limit === 0 ? Number.MAX_SAFE_INTEGER : limit + 1;
    const find = (name?: string) =>
      environment?.store.runs(name === undefined ? { limit: most } : { flow: name, limit: most }) ?? [];
    let found = find(flow);
    // A flow that is gone from the folder keeps its history; only a name that never was is a mistake.
    if (flow !== undefined && found.length === 0) {
      const [known] = selectFlows(project, [flow], shell.cwd).flows;
      if (known !== undefined) found = find(known.name);
    }
    const more = limit > 0 && found.length > limit;
    const documents = (more ? found.slice(0, limit) : found).map((state) => runDocument(state, output));
    output.result(documents, () =>
      documents.length === 0 ? "No runs yet." : runsTable(documents, shell.clock.now(), output.title),
    );
    if (more) output.note(`The newest ${countText(limit)}; --limit 0 lists all.`);
    return EXIT.done;
  },
});

function runsTable(found: readonly RunDocument[], now: number, title: (text: string) => string): string {
  return table(
    found,
    [
      { title: "run", value: (state) => state.run },
      { title: "flow", value: (state) => state.flow },
      { title: "trigger", value: (state) => state.trigger },
      { title: "status", value: (state) => state.status },
      { title: "started (UTC)", value: (state) => timeText(state.startedAt) },
      { title: "took", value: (state) => lasted(state, now), align: "right" },
      { title: "fetched", value: (state) => countText(state.records.fetched), align: "right" },
      { title: "loaded", value: (state) => countText(state.records.loaded), align: "right" },
      { title: "dead", value: (state) => countText(state.records.deadLettered), align: "right" },
      { title: "queued", value: (state) => countText(state.records.queued), align: "right" },
      {
        title: "error",
        value: (state) => (state.error === null ? "" : `${state.error.code}: ${state.error.message}`),
        widest: 60,
      },
    ],
    title,
  );
}

function lasted(state: RunDocument, now: number): string | null {
  if (state.startedAt === null) return null;
  const end = state.endedAt === null ? now : Date.parse(state.endedAt);
  return durationText(end - Date.parse(state.startedAt));
}
