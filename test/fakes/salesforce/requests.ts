/** What was asked of the fake and how many body bytes went out; control requests are not counted. */
export class Requests {
  total = 0;
  /** Body bytes sent, as on the wire (packed where packed). */
  bytes = 0;
  /** By `METHOD shape`: versions, ids and locators are cut out, e.g. `GET /services/data/query/<locator>`. */
  byPath: Record<string, number> = {};
  /** By status as sent; `reset` for answers that never left. */
  byStatus: Record<string, number> = {};
  /** The most recent targets, newest last. */
  recent: string[] = [];

  count(method: string, path: string, target: string): void {
    this.total += 1;
    const shape = `${method} ${shapeOf(path)}`;
    this.byPath[shape] = (this.byPath[shape] ?? 0) + 1;
    this.recent.push(`${method} ${target}`);
    if (this.recent.length > 200) this.recent.splice(0, 100);
  }

  answered(status: number | "reset", bytes: number): void {
    this.byStatus[status] = (this.byStatus[status] ?? 0) + 1;
    this.bytes += bytes;
  }

  reset(): void {
    this.total = 0;
    this.bytes = 0;
    this.byPath = {};
    this.byStatus = {};
    this.recent = [];
  }
}

function shapeOf(path: string): string {
  return path
    .replace(/\/v\d+\.\d+(?=\/|$)/, "")
    .replace(/\/query\/[^/]+$/, "/query/<locator>")
    .replace(/\/jobs\/query\/[^/]+/, "/jobs/query/<job>")
    .replace(/^\/id\/.*/, "/id");
}
