import type { Page, SourceRecord, Value } from "../../core/contracts/index.js";

/**
 * What core/run does with a source's pages, in a few lines: skips what it has stored with the same cursor value,
 * remembers what will come again, moves its checkpoint with each page, and empties it.
 */
export class SourceLedger {
  /** The cursor of the last page, through JSON as the store would have it. */
  checkpoint: Value | undefined;
  /** Every record handed on, in order. */
  readonly stored: SourceRecord[] = [];
  /** Records skipped as repeats. */
  repeats = 0;
  readonly #cursorField: string | undefined;
  readonly #primaryKey: readonly string[];
  readonly #seen: Map<string, string>;

  constructor(cursorField: string | undefined, primaryKey: readonly string[], from?: SourceLedger) {
    this.#cursorField = cursorField;
    this.#primaryKey = primaryKey;
    this.#seen = new Map(from === undefined ? [] : from.#seen);
    if (from !== undefined) {
      this.checkpoint = from.checkpoint;
      this.stored.push(...from.stored);
    }
  }

  /** The state after a crash at this moment. */
  copy(): SourceLedger {
    return new SourceLedger(this.#cursorField, this.#primaryKey, this);
  }

  keyOf(record: SourceRecord): string {
    return this.#primaryKey.map((part) => String(record[part])).join("/");
  }

  take(page: Page): void {
    for (const record of page.records) {
      const key = this.keyOf(record);
      const version = this.#cursorField === undefined ? undefined : record[this.#cursorField];
      if (typeof version === "string") {
        const { repeatsBelow, rememberFrom } = page;
        if (repeatsBelow !== undefined && version < repeatsBelow && this.#seen.get(key) === version) {
          this.repeats++;
          continue;
        }
        if (rememberFrom !== undefined && version >= rememberFrom) this.#seen.set(key, version);
      }
      this.stored.push(record);
    }
    this.checkpoint = JSON.parse(JSON.stringify(page.cursor));
    if (Array.isArray(page.records)) page.records.length = 0;
  }

  /** Key and version of everything handed on. */
  versions(): string[] {
    const field = this.#cursorField;
    return this.stored.map(
      (record) => `${this.keyOf(record)} ${field === undefined ? "" : String(record[field])}`,
    );
  }

  keys(): string[] {
    return this.stored.map((record) => this.keyOf(record));
  }
}
