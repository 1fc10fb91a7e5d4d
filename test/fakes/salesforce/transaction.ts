import type { FakeClock, Org } from "./org.js";
import type { Values } from "./table.js";

/**
 * Changes that are stamped when they are made and seen when they are committed: how a record comes to stand behind
 * those that were read already. As long as it runs, latestDateCovered of the org stays at its beginning.
 */
export class Transaction {
  readonly startedAt: number;
  private readonly org: Org;
  private readonly clock: FakeClock;
  private readonly ended: () => void;
  private readonly changes: (() => void)[] = [];

  constructor(org: Org, clock: FakeClock, ended: () => void) {
    this.org = org;
    this.clock = clock;
    this.ended = ended;
    this.startedAt = clock.now();
  }

  /** Inserts without Id, else updates. */
  upsert(object: string, values: Values & { readonly Id?: string }): void {
    const at = this.clock.now();
    this.changes.push(() => this.org.upsert(object, values, at));
  }

  delete(object: string, ids: readonly string[]): void {
    const at = this.clock.now();
    this.changes.push(() => this.org.delete(object, ids, at));
  }

  commit(): void {
    for (const change of this.changes.splice(0)) change();
    this.ended();
  }
}
