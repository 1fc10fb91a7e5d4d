/** Markdown as Biome formats it, so that generated pages pass the same checks as written ones. */

/** A cell: one line, no pipes, nothing that looks like HTML. */
const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ").replaceAll("<", "\\<").trim();

/** A table whose columns are padded to their widest cell. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(cell));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, at) => (row[at] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  const [first = [], ...others] = cells;
  return [line(first), line(rule), ...others.map(line)].join("\n");
}
