import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Groups } from "../../../core/queue/groups.js";
import type { Place } from "../../../core/queue/keys.js";
import { openQueueTables, type QueueTables } from "../../../core/queue/rows.js";
import { emptyTotals, type Totals } from "../../../core/queue/totals.js";
import { MemoryTables } from "../../../core/store/memory-tables.js";

const LANE = 7;

interface Step {
  readonly verb: "add" | "dropFirst" | "dropAny" | "hide" | "show" | "serve" | "look";
  readonly group: number;
  /** How many messages, or where among them. */
  readonly count: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  verb: fc.constantFrom("add", "add", "dropFirst", "dropFirst", "dropAny", "hide", "show", "serve", "look"),
  // Few groups with many messages, and now and then one of very many.
  group: fc.oneof({ weight: 8, arbitrary: fc.nat(3) }, fc.nat(2_500)),
  count: fc.integer({ min: 1, max: 25 }),
});

/** What a lane does with its groups, over a plain list of each group's messages. */
class Lane {
  readonly #tables: QueueTables;
  readonly #totals: Totals;
  readonly #groups: Groups;
  readonly #messages = new Map<string, Place[]>();
  readonly #hidden = new Set<number>();
  #sequence = 1;

  constructor(tables: QueueTables, totals: Totals) {
    this.#tables = tables;
    this.#totals = totals;
    this.#groups = new Groups(tables, LANE, totals);
  }

  /** Does it, and compares. */
  run(step: Step): void {
    this.quietly(step);
    const group = `g${step.group}`;
    this.#compare(group, this.#messages.get(group) ?? [], step.count);
  }

  quietly({ verb, group: number, count }: Step): void {
    const group = `g${number}`;
    const messages = this.#messages.get(group) ?? [];
    this.#messages.set(group, messages);
    const [first] = messages;
    if (verb === "add") for (let n = 0; n < count; n++) this.#add(group, messages);
    else if (verb === "dropFirst") for (let n = 0; n < count; n++) this.#drop(group, messages, 0);
    else if (verb === "dropAny") this.#drop(group, messages, count);
    else if (verb === "serve") this.#groups.served(group);
    else if (verb !== "look" && first) {
      if (verb === "hide") this.#hidden.add(first.sequence);
      else this.#hidden.delete(first.sequence);
      this.#groups.touch(group);
    }
    this.#groups.save(({ sequence }) => !this.#hidden.has(sequence));
  }

  #add(group: string, messages: Place[]): void {
    const place = { order: this.#sequence >> 3, sequence: this.#sequence++ };
    messages.push(place);
    this.#groups.add(group, place);
  }

  #drop(group: string, messages: Place[], at: number): void {
    const [dropped] = messages.splice(at, 1);
    if (dropped) this.#groups.drop(group, dropped);
  }

  /** With the list, and with what somebody reads who has just come. */
  #compare(group: string, messages: readonly Place[], count: number): void {
    const fresh = new Groups(this.#tables, LANE, this.#totals);
    const behind = messages[Math.floor(count / 2)];
    for (const limit of [1, count]) {
      expect(this.#groups.members(group, limit)).toEqual(messages.slice(0, limit));
      if (behind)
        expect(this.#groups.members(group, limit, behind)).toEqual(
          messages.slice(Math.floor(count / 2) + 1).slice(0, limit),
        );
      expect(this.#groups.waiting(limit)).toEqual(fresh.waiting(limit));
    }
    expect([...this.#groups.waiting(1e6)].sort()).toEqual(this.#visible());
  }

  /** Groups whose first message may be served. */
  #visible(): string[] {
    const visible = [...this.#messages].filter(([, [first]]) => first && !this.#hidden.has(first.sequence));
    return visible.map(([group]) => group).sort();
  }
}

describe("the groups that a lane remembers", () => {
  it("have the messages and the turns that stand in the tables", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const tables = new MemoryTables();
        const queueTables = openQueueTables(tables);
        await tables.transaction(() => {
          const lane = new Lane(queueTables, emptyTotals());
          for (const one of steps) lane.run(one);
        });
      }),
      { numRuns: 100 },
    );
  });

  it("are remembered up to a number, and found again beyond it", async () => {
    const tables = new MemoryTables();
    const queueTables = openQueueTables(tables);
    await tables.transaction(() => {
      const lane = new Lane(queueTables, emptyTotals());
      for (const verb of ["add", "hide", "show", "dropFirst"] as const)
        for (let group = 0; group < 6_000; group += 1) {
          // Comparing all turns each time would take minutes.
          if (group % 600 === 0) lane.run({ verb, group, count: 2 });
          else lane.quietly({ verb, group, count: 2 });
        }
    });
  });
});
