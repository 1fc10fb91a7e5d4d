import { describe, expect, it } from "vitest";
import type { Page, ReadRequest } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { type Living, living, MINUTE, things } from "./living.js";

/*
 * Pages of a query that are fetched while the caller works on the one before, and what a killed run has kept of them.
 */

const REST = { api: "rest" };
const COUNT = 1_400;
const PAGES = 7;
const QUERY = "GET /services/data/query";
const NEXT = `${QUERY}/<locator>`;

const MODES = [
  ["incremental", {}],
  ["full", { mode: "full", cursorField: undefined, resumes: true }],
] as const;

const org = () => living(things(COUNT), { pageSize: 200 });
const pagesAsked = (of: Living) => of.asked(QUERY) + of.asked(NEXT);
/** Time for requests that nobody waits for. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 30));

function ledgerOf(extra: Partial<ReadRequest>): SourceLedger {
  return new SourceLedger(extra.mode === "full" ? undefined : "SystemModstamp", ["Id"]);
}

/** Reads on behind the ledger's checkpoint; `dies` says where a page is not stored any more, or is the last that is. */
async function read(
  from: Living,
  ledger: SourceLedger,
  extra: Partial<ReadRequest>,
  dies: (page: Page, index: number) => "before" | "after" | undefined = () => undefined,
): Promise<"killed" | "done"> {
  const cursor = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
  const pages = from.source.read(await from.request("Thing__c", REST, { ...extra, ...cursor }));
  let index = 0;
  for await (const page of pages) {
    const death = dies(page, index++);
    // A killed process has sent what it sent.
    if (death !== undefined) await rest();
    if (death === "before") return "killed";
    ledger.take(page);
    if (death === "after") return "killed";
  }
  return "done";
}

describe("the next page", () => {
  it("is fetched while the last one is worked on, one ahead and no more, where that one is kept", async () => {
    const from = await org();
    const ahead: number[] = [];
    let taken = 0;
    for await (const _ of from.source.read(await from.request("Thing__c", REST))) {
      taken++;
      await rest();
      ahead.push(pagesAsked(from) - taken);
    }
    expect(ahead).toEqual([0, 1, 1, 1, 1, 1, 0]);
    expect(from.ahead.has("anything")).toBe(false);
  });

  it("is asked for when the last one is stored, where nothing can be kept", async () => {
    const from = await org();
    const { ahead: _, ...request } = await from.request("Thing__c", REST);
    let taken = 0;
    for await (const _page of from.source.read(request)) {
      taken++;
      await rest();
      expect(pagesAsked(from)).toBe(taken);
    }
    expect(taken).toBe(PAGES);
  });

  it.each(MODES)("costs a kill one page at most, wherever it comes: %s", async (_mode, extra) => {
    for (const death of ["before", "after"] as const) {
      for (let at = 0; at < PAGES; at++) {
        const from = await org();
        const ledger = ledgerOf(extra);
        expect(await read(from, ledger, extra, (_page, index) => (index === at ? death : undefined))).toBe(
          "killed",
        );
        if (ledger.checkpoint !== undefined) await read(from, ledger, extra);
        else await read(from, ledger, { ...extra, resumes: false });
        expect(ledger.keys()).toHaveLength(COUNT);
        expect(new Set(ledger.keys()).size).toBe(COUNT);
        // A killed reader of this process aborts what is under way, so that a page may not have come to its end.
        expect(pagesAsked(from) - PAGES, `${death} page ${at} was stored`).toBeLessThanOrEqual(1);
      }
    }
  });

  it.each(MODES)(
    "that was kept is read again and again, until a run gets through: %s",
    async (_mode, extra) => {
      const from = await org();
      const ledger = ledgerOf(extra);
      await read(from, ledger, extra, (_page, index) => (index === 2 ? "after" : undefined));
      const asked = from.asked(NEXT);
      for (let kill = 1; kill <= 4; kill++) {
        await read(from, ledger, extra, () => "before");
        // The first of these had only the page behind the kept one to ask for, and that was kept as well.
        expect(from.asked(NEXT) - asked).toBe(1);
      }
      await read(from, ledger, extra);
      expect(ledger.keys()).toHaveLength(COUNT);
      expect(from.asked(QUERY)).toBe(1);
    },
  );

  it("of another query is of no use: the fields of the flow have changed", async () => {
    const from = await org();
    const ledger = ledgerOf({});
    await read(from, ledger, {}, (_page, index) => (index === 2 ? "after" : undefined));
    await read(from, ledger, { fields: ["Id", "Name"] });
    expect(ledger.stored.slice(600).every(({ Name }) => typeof Name === "string")).toBe(true);
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(from.asked(QUERY)).toBe(2);
  });

  it.each([
    ["too old", (from: Living) => from.clock.set(from.clock.now() + 16 * MINUTE)],
    [
      "damaged, and its locator dead",
      (from: Living) => {
        from.damage();
        from.fake.closeCursors();
      },
    ],
  ])("that is %s is asked for anew", async (_how, age) => {
    const from = await org();
    const ledger = ledgerOf({});
    await read(from, ledger, {}, (_page, index) => (index === 2 ? "after" : undefined));
    age(from);
    await read(from, ledger, {});
    expect(ledger.keys()).toHaveLength(COUNT);
    expect(new Set(ledger.keys()).size).toBe(COUNT);
    expect(from.asked(QUERY)).toBeGreaterThan(1);
  });

  it.each(MODES)(
    "goes on behind the kept one by a query where its locator is dead by then: %s",
    async (_mode, extra) => {
      const from = await org();
      const ledger = ledgerOf(extra);
      await read(from, ledger, extra, (_page, index) => (index === 2 ? "after" : undefined));
      from.fake.closeCursors();
      await read(from, ledger, extra);
      expect(ledger.keys()).toHaveLength(COUNT);
      expect(new Set(ledger.keys()).size).toBe(COUNT);
      expect(from.asked(QUERY)).toBe(2);
    },
  );

  it.each([
    ["fails its own turn, when all before it is handed out", [3, 4, 5, 6, 7], false],
    ["is asked for once more where it failed long before its turn", [3, 4, 5, 6, 7], true],
  ] as const)("that does not come %s", async (_what, nth, waits) => {
    const from = await org();
    from.fake.faults.set({
      rules: [
        { path: "/query/01g", on: { nth: [...nth] }, fault: { kind: "status", preset: "serverError" } },
      ],
    });
    const ledger = ledgerOf({});
    const reading = async () => {
      const cursor = ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint };
      for await (const page of from.source.read(await from.request("Thing__c", REST, cursor))) {
        if (waits) await rest();
        ledger.take(page);
      }
    };
    if (waits) await reading();
    else {
      await expect(reading()).rejects.toMatchObject({ kind: "transient" });
      expect(ledger.keys()).toHaveLength(600);
      from.fake.faults.clear();
      await reading();
    }
    expect(ledger.keys()).toHaveLength(COUNT);
  });

  it("is not asked for any more when the reader has left", async () => {
    const from = await org();
    const ledger = ledgerOf({});
    await read(from, ledger, {}, (_page, index) => (index === 2 ? "after" : undefined));
    const asked = pagesAsked(from);
    await rest();
    expect(pagesAsked(from)).toBe(asked);
  });
});
