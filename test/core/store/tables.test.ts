import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { open } from "lmdb";
import { describe, expect, it } from "vitest";
import type { Table, Tables } from "../../../core/queue/index.js";
import { LmdbTables } from "../../../core/store/lmdb-tables.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";
import { key } from "../../../core/store/records.js";
import { scratchDir } from "./scratch-dir.js";

/** Puts or removes `count` keys from number `first` on, every `step`-th. Enough of them to split pieces and pages. */
interface Change {
  readonly verb: "put" | "remove";
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

const number = fc.nat(3_000);
const change: fc.Arbitrary<Change> = fc.record({
  verb: fc.constantFrom("put", "put", "remove"),
  first: number,
  count: fc.integer({ min: 1, max: 900 }),
  step: fc.integer({ min: 1, max: 3 }),
});
const work = fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 3 }), throws: fc.boolean() });
const scan = fc.record({ from: number, to: number, limit: fc.nat(2_000), reverse: fc.boolean() });

/** Keys of different lengths, some the beginning of others. */
function keyOf(n: number): Buffer {
  const bytes = Buffer.alloc(n % 3 === 0 ? 2 : 3, n % 7);
  bytes.writeUInt16BE(n - (n % 3), 0);
  return bytes;
}

function apply(
  changed: Change,
  put: (key: Buffer, value: string) => void,
  remove: (key: Buffer) => void,
): void {
  for (let i = 0; i < changed.count; i++) {
    const at = keyOf(changed.first + i * changed.step);
    if (changed.verb === "put") put(at, `${changed.first}.${i}`);
    else remove(at);
  }
}

/** The same on a plain map, by hexadecimal key. */
function applied(plain: ReadonlyMap<string, string>, changes: readonly Change[]): Map<string, string> {
  const after = new Map(plain);
  for (const one of changes)
    apply(
      one,
      (at, value) => after.set(at.toString("hex"), value),
      (at) => after.delete(at.toString("hex")),
    );
  return after;
}

/** Any works, some undone, and any scans: what a plain map says. */
function agreement(make: () => { tables: Tables; remove(): void }) {
  return fc.asyncProperty(
    fc.array(work, { maxLength: 5 }),
    fc.array(scan, { minLength: 3, maxLength: 6 }),
    async (works, scans) => {
      const { tables, remove } = make();
      try {
        const table = tables.json<string>("t");
        let plain = new Map<string, string>();
        const running = works.map(({ changes, throws }) =>
          tables.transaction(() => {
            // Works of one commit run one after the other: what an undone one wrote is gone before the next.
            const after = applied(plain, changes);
            for (const one of changes)
              apply(
                one,
                (at, value) => table.put(at, value),
                (at) => table.remove(at),
              );
            for (const one of scans) compare(table, after, one);
            if (throws) throw new Error("undone");
            plain = after;
          }),
        );
        for (const [i, outcome] of (await Promise.allSettled(running)).entries()) {
          const reason: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
          expect(reason).toEqual(works[i]?.throws ? new Error("undone") : undefined);
        }
        for (const one of scans) tables.read(() => compare(table, plain, one));
      } finally {
        await tables.close();
        remove();
      }
    },
  );
}

function compare(
  table: Table<string>,
  plain: ReadonlyMap<string, string>,
  { from, to, limit, reverse }: { from: number; to: number; limit: number; reverse: boolean },
): void {
  const range = { from: keyOf(from), to: keyOf(to), limit, reverse };
  // Hexadecimal text sorts as the bytes do.
  const inside = [...plain].filter(
    ([hex]) => hex >= range.from.toString("hex") && hex < range.to.toString("hex"),
  );
  inside.sort(([a], [b]) => (a < b ? -1 : 1));
  if (reverse) inside.reverse();
  const wanted = inside.slice(0, limit);
  const entries = table.entries(range).map((entry) => [entry.key.toString("hex"), entry.value]);
  expect(entries).toEqual(wanted);
  expect(table.keys(range).map((at) => at.toString("hex"))).toEqual(wanted.map(([hex]) => hex));
  for (const n of [from, to]) {
    const value = plain.get(keyOf(n).toString("hex"));
    expect(table.get(keyOf(n))).toBe(value);
    expect(table.has(keyOf(n))).toBe(value !== undefined);
  }
}

function inLmdb() {
  const folder = scratchDir();
  const root = open<Buffer, Buffer>({
    path: folder.path,
    noSubdir: false,
    overlappingSync: false,
    noSync: true,
    eventTurnBatching: false,
    maxDbs: 4,
  });
  const file = openSync(join(folder.path, "data.mdb"), "r");
  const tables = new LmdbTables(root, { folder: folder.path, file, onClose: () => closeSync(file) });
  return { tables, remove: () => folder.remove() };
}

describe.each([
  ["in memory", () => ({ tables: new MemoryTables(), remove: () => {} }), 100],
  ["in LMDB", inLmdb, 40],
])("tables %s", (_, make, numRuns) => {
  it("do what a plain map does", async () => {
    await fc.assert(agreement(make), { numRuns });
  });

  it("show the works of a commit each other's changes, whoever opened the table", async () => {
    const { tables, remove } = make();
    const [one, other] = [tables.json<number>("t"), tables.json<number>("t")];
    await Promise.all([
      tables.transaction(() => one.put(keyOf(1), 1)),
      tables.transaction(() => {
        expect(other.get(keyOf(1))).toBe(1);
        other.put(keyOf(1), 2);
      }),
      tables.transaction(() => expect(one.get(keyOf(1))).toBe(2)),
    ]);
    expect(tables.read(() => one.get(keyOf(1)))).toBe(2);
    await tables.close();
    remove();
  });

  it("remember what was worked out from them until a work fails, and inside transactions only", async () => {
    const { tables, remove } = make();
    class Seen {
      readonly works: number[] = [];
    }
    const table = tables.json<number>("t");
    const work = (n: number, fails = false) =>
      tables.transaction(() => {
        table.put(keyOf(n), n);
        tables.cache?.of(Seen).works.push(n);
        if (fails) throw new Error("undone");
        return [...(tables.cache?.of(Seen).works ?? [])];
      });
    expect(await Promise.all([work(1), work(2)])).toEqual([[1], [1, 2]]);
    expect(await work(3)).toEqual([1, 2, 3]);
    await expect(work(4, true)).rejects.toThrow("undone");
    expect(await work(5)).toEqual([5]);
    expect(tables.cache).toBeUndefined();
    await tables.close();
    remove();
  });

  it("refuse changes outside a transaction", async () => {
    const { tables, remove } = make();
    const table = tables.json<number>("t");
    await tables.transaction(() => table.put(keyOf(2), 2));
    const refused = expect.objectContaining({ code: "NO_TRANSACTION" });
    expect(() => table.put(keyOf(1), 1)).toThrow(refused);
    expect(() => table.remove(keyOf(2))).toThrow(refused);
    expect(tables.read(() => [table.get(keyOf(1)), table.get(keyOf(2))])).toEqual([undefined, 2]);
    await tables.close();
    remove();
  });
});

describe("keys made of text", () => {
  it("are told apart and sort part by part, by their UTF-8 bytes", () => {
    const part = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("", "\u0000", "a", "a\u0000", "a\u0001"),
    );
    const parts = fc.array(part, { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const byPart = a
          .map((text, i) => Buffer.compare(Buffer.from(text), Buffer.from(b[i] ?? "")))
          .find((order) => order !== 0);
        expect(Math.sign(key(...a).compare(key(...b)))).toBe(byPart ?? 0);
      }),
    );
  });
});
