import { Refusal } from "./answer.js";

const MOST = 20_000;

/**
 * Page cursors in the forms Slack uses: base64 of `next_ts:1512085861000543`, `user:U061NFTT2`, `team:C061FA5PB`. They die: what was
 * not handed out, or was forgotten, is `invalid_cursor`.
 */
export class Cursors {
  private readonly issued = new Set<string>();

  issue(kind: string, place: string | number): string {
    const cursor = Buffer.from(`${kind}:${place}`).toString("base64");
    this.issued.add(cursor);
    if (this.issued.size > MOST) {
      const [oldest] = this.issued;
      if (oldest !== undefined) this.issued.delete(oldest);
    }
    return cursor;
  }

  /** The place that a cursor of this kind leads to; undefined without a cursor. */
  read(kind: string, cursor: string | undefined): string | undefined {
    if (cursor === undefined) return undefined;
    const [found, place] = Buffer.from(cursor, "base64").toString("latin1").split(":");
    if (!this.issued.has(cursor) || found !== kind || place === undefined)
      throw new Refusal("invalid_cursor");
    return place;
  }

  /** Forgets every one. */
  clear(): void {
    this.issued.clear();
  }
}
