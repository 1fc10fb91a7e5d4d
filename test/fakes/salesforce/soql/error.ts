/** What the REST API answers with status 400 for a query it refuses. */
export class SoqlError extends Error {
  readonly errorCode: string;
  constructor(errorCode: string, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

/**
 * The service's way to point at a place: the query from 32 characters before it to 40 behind it, a caret below the place, row
 * and column counted from one, then the sentence.
 */
export function pointed(errorCode: string, query: string, at: number, sentence: string): SoqlError {
  const before = query.slice(0, at);
  const row = before.split("\n").length;
  const lineStart = before.lastIndexOf("\n") + 1;
  const column = at - lineStart + 1;
  const from = Math.max(lineStart, at - 32);
  const lineEnd = query.indexOf("\n", at);
  const excerpt = query.slice(from, Math.min(lineEnd < 0 ? query.length : lineEnd, at + 40));
  const caret = " ".repeat(at - from) + "^";
  return new SoqlError(
    errorCode,
    `\n${excerpt}\n${caret}\nERROR at Row:${row}:Column:${column}\n${sentence}`,
  );
}
