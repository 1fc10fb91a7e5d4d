export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | null | undefined;
  /** Numbers stand right. Default left. */
  readonly align?: "left" | "right";
  /** Widest in columns of the terminal; longer texts end in "…". */
  readonly widest?: number;
}

/**
 * Rows as aligned text, two blanks between columns, a title row above. Control characters are shown escaped, so
 * that a record can neither break the table nor drive the terminal. Without rows: the title row alone.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  title: (text: string) => string = (text) => text,
): string {
  const cells = rows.map((row) =>
    columns.map((column) => {
      const value = column.value(row);
      const text = value === null || value === undefined ? "-" : printable(String(value));
      return column.widest === undefined ? text : cut(text, column.widest);
    }),
  );
  const widths = columns.map((column, index) =>
    cells.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? "")),
      displayWidth(column.title),
    ),
  );
  const line = (texts: readonly string[], paint: (text: string) => string) =>
    columns
      .map((column, index) => {
        const text = texts[index] ?? "";
        const padding = " ".repeat((widths[index] ?? 0) - displayWidth(text));
        return column.align === "right" ? padding + paint(text) : paint(text) + padding;
      })
      .join("  ")
      .trimEnd();
  return [
    line(
      columns.map((column) => column.title),
      title,
    ),
    ...cells.map((row) => line(row, (text) => text)),
  ].join("\n");
}

/** Control characters (and what reorders text on a terminal) escaped as in JSON. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => {
    const short = SHORT_ESCAPES[character];
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;
/** East Asian wide and fullwidth blocks, and what terminals draw as emoji. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/u;
const INVISIBLE = /^[\p{Mark}\u200b-\u200d\u2060]+$/u;

/** Columns a text takes on a terminal. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    if (!INVISIBLE.test(segment)) width += WIDE.test(segment) ? 2 : 1;
  }
  return width;
}

/** `text` in at most `widest` columns, ending in "…" where it was longer. */
export function cut(text: string, widest: number): string {
  if (displayWidth(text) <= widest) return text;
  let width = 0;
  let result = "";
  for (const { segment } of graphemes.segment(text)) {
    const next = width + displayWidth(segment);
    if (next > widest - 1) break;
    width = next;
    result += segment;
  }
  return `${result}…`;
}
