/**
 * What was worked out from tables and is still true of them: one object of each kind, made when it is first asked for.
 * It belongs to the tables of a process, whoever has opened them, and its owner forgets it as soon as they may hold
 * something else than the works of this process, one behind the other, have left there.
 */
export class TableCache {
  readonly #kept = new Map<new () => object, object>();

  of<T extends object>(kind: new () => T): T {
    const known = this.#kept.get(kind);
    if (known instanceof kind) return known;
    const made = new kind();
    this.#kept.set(kind, made);
    return made;
  }

  forget(): void {
    this.#kept.clear();
  }
}
