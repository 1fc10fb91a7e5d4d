import { z } from "zod";
import type { PreviewRow } from "../../../run/types.js";
import { defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { count } from "../input.js";
import { toJson } from "../json.js";
import type { Output } from "../output.js";
import { plural } from "../quantity.js";
import { printable } from "../table.js";

const MOST = 10_000;

export const preview = defineCommand({
  name: "preview",
  summary: "show source records and what the flow makes of them; writes nothing",
  arguments: [{ name: "flow", form: "<flow>", description: "name or file of a flow" }],
  options: [
    { flags: "--limit <count>", description: `so many source records (default: 10; at most ${MOST})` },
  ],
  examples: ["sluice preview salesforce-accounts --limit 3", "sluice preview salesforce-accounts --json"],
  input: z.object({
    flow: z.string(),
    limit: count(10).refine((limit) => limit >= 1 && limit <= MOST, `expected a number from 1 to ${MOST}`),
  }),
  async run({ flow: name, limit }, { shell, output, workspace }) {
    const flow = await workspace.flow(name);
    const { previewFlow } = await import("../../../run/index.js");
    const rows = await previewFlow(await workspace.host(), flow, { limit, signal: shell.signal });
    output.result(rows, () =>
      rows.length === 0 ? "The source has no records in the window." : previewText(rows, output),
    );
    return EXIT.done;
  },
});

const STYLE = { mapped: "green", filtered: "dim", rejected: "red" } as const;

function previewText(rows: readonly PreviewRow[], output: Output): string {
  const line = (value: unknown) => printable(toJson(value, 0));
  const blocks = rows.map((row, index) => {
    const outcome = output.paint(STYLE[row.outcome], row.outcome);
    const reason = row.reason === undefined ? "" : `: ${printable(row.reason)}`;
    return [
      `${output.paint("bold", `#${index + 1}`)} ${outcome}${reason}`,
      `  source  ${line(row.source)}`,
      ...(row.mapped === undefined ? [] : [`  mapped  ${line(row.mapped)}`]),
    ].join("\n");
  });
  const counts = (["mapped", "filtered", "rejected"] as const).map(
    (outcome) => `${rows.filter((row) => row.outcome === outcome).length} ${outcome}`,
  );
  return `${blocks.join("\n")}\n\n${plural(rows.length, "record")}: ${counts.join(", ")}`;
}
