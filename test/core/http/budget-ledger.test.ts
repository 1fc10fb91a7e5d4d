import { describe, expect, it } from "vitest";
import type { WindowBucket } from "../../../core/contracts/index.js";
import {
  type BucketRule,
  forget,
  type Grant,
  grantOf,
  type Ledger,
  reserveOf,
  roomOf,
} from "../../../core/http/budget-ledger.js";
import { type BudgetView, forecastBudget } from "../../../core/http/index.js";

const NOW = Date.UTC(2026, 0, 1);
const spec: WindowBucket = { kind: "window", name: "calls", title: "calls", limit: 1_000, windowMs: 60_000 };
const rule: BucketRule = { spec, reserve: 0 };

const grant = (more: Partial<Grant>): Grant => ({
  id: "g",
  holder: { pid: 1, host: "here" },
  count: 0,
  flying: 0,
  until: NOW + 3_000,
  ...more,
});
const ledger = (more: Partial<Ledger>): Ledger => ({
  limit: null,
  answered: [],
  sent: [],
  grants: [],
  told: null,
  closedUntil: 0,
  ...more,
});
const told = { remaining: 100, at: NOW - 1_000, until: NOW + 30_000, resets: true, carried: true };
const room = (state: Ledger, by: BucketRule = rule) => roomOf(by, state, NOW);

describe("room", () => {
  it("is what the last word leaves, less what may not be counted in it", () => {
    expect(room(ledger({ told })).count).toBe(100);
    // The telling one itself is counted in what it tells, and so is what was answered before it was sent.
    const answered: Ledger["answered"] = [
      [NOW - 1_000, 6],
      [NOW - 900, 1],
    ];
    expect(room(ledger({ told, answered })).count).toBe(100);
    expect(room(ledger({ told: { ...told, carried: false }, answered })).count).toBe(99);
    // Three were answered since, five are under way, seven are granted.
    const grants = [grant({ id: "a", count: 7 }), grant({ id: "b", flying: 5 })];
    expect(room(ledger({ told, answered: [...answered, [NOW - 500, 3]], grants })).count).toBe(
      100 - 3 - 5 - 7,
    );
    // A grant that had ended when the word was sent is in the count, or was never used.
    const ended = grant({ id: "c", count: 50, until: NOW - 1_001 });
    expect(room(ledger({ told, grants: [ended] })).count).toBe(100);
  });

  it("is what our own account leaves where that is less, and where no word holds", () => {
    const sent: Ledger["sent"] = [[NOW - 10_000, 950]];
    expect(room(ledger({ told, sent })).count).toBe(50);
    const over = { ...told, until: NOW };
    expect(room(ledger({ told: over, sent, grants: [grant({ count: 8 })] })).count).toBe(42);
    const unlimited: BucketRule = {
      spec: { kind: "window", name: "a", title: "a", windowMs: 1 },
      reserve: 0.5,
    };
    expect(room(ledger({}), unlimited).count).toBe(Number.POSITIVE_INFINITY);
  });

  it("says when there will be some, and when to look because a grant ends", () => {
    const sent: Ledger["sent"] = [
      [NOW - 50_000, 400],
      [NOW - 20_000, 600],
    ];
    expect(room(ledger({ sent }))).toEqual({ count: 0, freeAt: NOW + 10_000, lookAt: NOW + 10_000 });
    const later: Ledger["sent"] = [[NOW - 20_000, 995]];
    const grants = [grant({ count: 5 })];
    expect(room(ledger({ sent: later, grants }))).toEqual({
      count: 0,
      freeAt: NOW + 40_000,
      lookAt: NOW + 3_000,
    });
    const closed = ledger({ closedUntil: NOW + 90_000, sent: later, grants });
    expect(room(closed)).toEqual({ count: 0, freeAt: NOW + 90_000, lookAt: NOW + 90_000 });
    const none = ledger({ told: { ...told, remaining: 0 } });
    expect(room(none)).toEqual({ count: 0, freeAt: NOW + 30_000, lookAt: NOW + 30_000 });
  });
});

describe("a grant", () => {
  it("is a small part: of the limit, and of what is left", () => {
    expect(grantOf(rule, ledger({}), 1_000, 500, NOW)).toBe(10);
    expect(grantOf(rule, ledger({ limit: 1_000_000 }), 1_000_000, 500, NOW)).toBe(128);
    expect(grantOf(rule, ledger({}), 12, 500, NOW)).toBe(3);
    expect(grantOf(rule, ledger({}), 1, 500, NOW)).toBe(1);
  });

  it("is one request where the last word has run out, or a refusal is over", () => {
    expect(grantOf(rule, ledger({ told: { ...told, until: NOW } }), 1_000, 8, NOW)).toBe(1);
    expect(grantOf(rule, ledger({ closedUntil: NOW - 1 }), 1_000, 8, NOW)).toBe(1);
  });
});

describe("the reserve", () => {
  it.each([
    [100, 0.07, 7],
    [10, 0.25, 3],
    [1, 0.5, 0],
    [2, 0.99, 1],
    [1_000, 0, 0],
  ])("of %i and %d is %i", (limit, reserve, kept) => {
    expect(reserveOf({ spec, reserve }, ledger({ limit }))).toBe(kept);
  });
});

describe("a forecast", () => {
  const view: BudgetView = {
    bucket: "calls",
    title: "calls",
    kind: "window",
    windowMs: 60_000,
    limit: 10,
    used: 4,
    reserve: 2,
    left: 4,
    resetsAt: new Date(NOW + 50_000).toISOString(),
    waitsUntil: null,
  };

  it.each([
    [4, 0],
    // The fifth waits for what was used to leave the window, the thirteenth for a window more.
    [5, 50_000],
    [12, 50_000],
    [13, 110_000],
  ])("of %i calls is %i ms", (calls, waitMs) => {
    expect(forecastBudget(view, calls, NOW)).toMatchObject({ calls, waitMs });
  });

  it("waits until a refusal is over, and forecasts nothing without a limit", () => {
    const closed = { ...view, left: 0, waitsUntil: new Date(NOW + 3_600_000).toISOString() };
    expect(forecastBudget(closed, 1, NOW).waitMs).toBe(3_600_000);
    expect(forecastBudget({ ...view, limit: null, left: null }, 9_999, NOW).waitMs).toBe(0);
    expect(forecastBudget({ ...view, kind: "concurrent", windowMs: null }, 9_999, NOW).waitMs).toBe(0);
  });
});

describe("forgetting", () => {
  it("leaves what still counts, and ends the grants of the dead", () => {
    const state = ledger({
      sent: [
        [NOW - 60_000, 1],
        [NOW - 59_999, 2],
      ],
      grants: [
        grant({ id: "over", count: 1, until: NOW - 60_000 }),
        grant({ id: "ended", count: 2, until: NOW - 59_999 }),
        grant({ id: "living", count: 3 }),
        grant({ id: "dead", count: 4, flying: 2, holder: { pid: 2, host: "here" } }),
      ],
    });
    const left = forget(rule, state, NOW, ({ pid }) => pid !== 2);
    expect(left.sent).toEqual([[NOW - 59_999, 2]]);
    expect(left.grants.map(({ id, until, flying }) => [id, until, flying])).toEqual([
      ["ended", NOW - 59_999, 0],
      ["living", NOW + 3_000, 0],
      ["dead", NOW, 0],
    ]);
  });
});
