/** What was asked of the fake and how many body bytes went out; control requests are not counted. */
export class Requests {
  total = 0;
  bytes = 0;
  /** By `METHOD path`, ids cut out. */
  byPath: Record<string, number> = {};
  /** By status as sent; `reset` for answers that never left. */
  byStatus: Record<string, number> = {};
  /** The most recent targets, newest last. */
  recent: string[] = [];

  count(method: string, path: string, target: string): void {
    this.total += 1;
    const shape = `${method} ${path.replace(/\/\d+(?=\/|\.json|$)/g, "/<id>").replace(/\.json$/, "")}`;
    this.byPath[shape] = (this.byPath[shape] ?? 0) + 1;
    this.recent.push(`${method} ${target}`);
    if (this.recent.length > 400) this.recent.splice(0, 200);
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
