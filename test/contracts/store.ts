import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type {
  AlarmState,
  Checkpoint,
  Environment,
  LoadState,
  RunState,
  StoreTx,
  Value,
} from "../../core/contracts/index.js";

export interface StoreSubject {
  readonly environment: Environment;
  close(): Promise<void>;
  reopen?(): Promise<StoreSubject>;
}

export interface StoreFeatures {
  readonly persistent: boolean;
}

/** The Store contract (core/contracts/store.ts) as a suite. */
export function storeContract(
  name: string,
  make: () => Promise<StoreSubject>,
  features: StoreFeatures,
): void {
  describe(`store contract: ${name}`, () => {
    let subject: StoreSubject;
    beforeEach(async () => {
      subject = await make();
    });
    afterEach(() => subject.close());
    const store = () => subject.environment.store;
    const write = <T>(work: (store: StoreTx) => T) => subject.environment.transaction((tx) => work(tx.store));

    it("keeps one checkpoint a flow, with any JSON as its cursor", async () => {
      expect(store().checkpoint("f")).toBeUndefined();
      const first = checkpoint("f", { at: "2026-01-01", ids: ["a", "\u0000é😀"], deep: [[null, 1.5, true]] });
      await write((tx) => tx.putCheckpoint(first));
      await write((tx) => tx.putCheckpoint(checkpoint("g", null)));
      expect(store().checkpoint("f")).toEqual(first);
      expect(store().checkpoint("g")?.cursor).toBeNull();
      const second = { ...first, nextSequence: 2, complete: true };
      await write((tx) => {
        tx.putCheckpoint(second);
        expect(tx.checkpoint("f")).toEqual(second);
      });
      await write((tx) => tx.deleteCheckpoint("f"));
      expect(store().checkpoint("f")).toBeUndefined();
      expect(store().checkpoint("g")).toBeDefined();
    });

    it("lists runs newest first, of one flow or of all, and no more than asked for", async () => {
      await write((tx) => {
        for (let i = 0; i < 30; i++) tx.putRun(run(i % 2 === 0 ? "even" : "odd", i));
      });
      const names = (runs: readonly RunState[]) => runs.map((state) => state.run);
      expect(names(store().runs({ flow: "even", limit: 3 }))).toEqual([28, 26, 24].map(runName));
      expect(names(store().runs({ flow: "odd", limit: 100 }))).toHaveLength(15);
      expect(names(store().runs({ limit: 4 }))).toEqual([29, 28, 27, 26].map(runName));
      expect(store().runs({ flow: "eve", limit: 3 })).toEqual([]);
      expect(store().runs({ limit: 0 })).toEqual([]);
      expect(store().run("odd", runName(3))).toEqual(run("odd", 3));
      expect(store().run("even", runName(3))).toBeUndefined();
    });

    it("knows the runs recorded as running until they end", async () => {
      await write((tx) => {
        tx.putRun(run("f", 1, "running"));
        tx.putRun(run("f", 2, "running"));
        tx.putRun(run("other", 3, "running"));
        tx.putRun(run("f", 4, "succeeded"));
      });
      expect(
        store()
          .unfinishedRuns("f")
          .map((state) => state.run),
      ).toEqual([1, 2].map(runName));
      await write((tx) => tx.putRun(run("f", 1, "failed")));
      expect(
        store()
          .unfinishedRuns("f")
          .map((state) => state.run),
      ).toEqual([runName(2)]);
      expect(store().runs({ flow: "f", limit: 9 })).toHaveLength(3);
    });

    it("keeps open loads by flow, in order of their ids", async () => {
      await write((tx) => {
        for (const id of ["f-2", "f-1", "f-3"]) tx.putLoad(load("f", id));
        tx.putLoad(load("g", "g-1"));
      });
      expect(
        store()
          .openLoads("f")
          .map((open) => open.id),
      ).toEqual(["f-1", "f-2", "f-3"]);
      await write((tx) => {
        tx.deleteLoad("f", "f-2");
        expect(tx.openLoad("f", "f-2")).toBeUndefined();
        expect(tx.openLoad("f", "f-1")).toEqual(load("f", "f-1"));
        tx.deleteLoad("f", "never-there");
      });
      expect(
        store()
          .openLoads("f")
          .map((open) => open.id),
      ).toEqual(["f-1", "f-3"]);
      expect(store().openLoads("none")).toEqual([]);
    });

    it("remembers versions by key and forgets what is below a version", async () => {
      const [old, middle, young] = ["2026-01-01", "2026-01-02", "2026-01-03"] as const;
      await write((tx) => {
        for (let i = 0; i < 2_500; i++) tx.remember("f", `old-${i}`, old);
        tx.remember("f", "moved", old);
        tx.remember("f", "moved", young);
        tx.remember("f", "middle", middle);
        tx.remember("g", "old-1", old);
      });
      const seen = (flow: string, key: string) => write((tx) => tx.seen(flow, key));
      expect(await seen("f", "old-7")).toBe(old);
      await write((tx) => tx.forgetBelow("f", middle));
      expect(await seen("f", "old-7")).toBeUndefined();
      expect(await seen("f", "old-2499")).toBeUndefined();
      expect(await seen("f", "middle")).toBe(middle);
      expect(await seen("f", "moved")).toBe(young);
      expect(await seen("g", "old-1")).toBe(old);
      await write((tx) => tx.forgetBelow("f", "2027"));
      expect(await seen("f", "moved")).toBeUndefined();
    });

    it("tells keys apart that differ only in odd characters or far behind", async () => {
      const long = "x".repeat(5_000);
      const keys = [
        "a",
        "a\u0000",
        "a\u0000\u0000",
        "a\u0000b",
        "",
        "é",
        `${long}1`,
        `${long}2`,
        "\u{10ffff}",
      ];
      await write((tx) => {
        for (const [i, key] of keys.entries()) tx.remember("f", key, `v${i}`);
      });
      for (const [i, key] of keys.entries()) expect(await write((tx) => tx.seen("f", key))).toBe(`v${i}`);
      await write((tx) => tx.forgetBelow("f", "w"));
      for (const key of keys) expect(await write((tx) => tx.seen("f", key))).toBeUndefined();
    });

    it("keeps leases and small values", async () => {
      const lease = { name: "flow f", owner: "o", pid: 1, host: "h", acquiredAt: 1, expiresAt: 2 };
      const values: Value[] = [null, 0, "", false, { a: [{}] }, "text"];
      await write((tx) => {
        tx.putLease(lease);
        for (const [i, value] of values.entries()) tx.put(`k${i}`, value);
      });
      expect(store().lease("flow f")).toEqual(lease);
      for (const [i, value] of values.entries()) expect(store().get(`k${i}`)).toEqual(value);
      expect(store().get("absent")).toBeUndefined();
      await write((tx) => {
        tx.deleteLease("flow f");
        tx.delete("k0");
        tx.delete("absent");
        expect(tx.lease("flow f")).toBeUndefined();
      });
      expect(store().get("k0")).toBeUndefined();
    });

    it("keeps what alarms did, by id", async () => {
      expect(store().alarms()).toEqual([]);
      const [first, second] = [alarm("b oldest 5"), alarm("a oldest 5")];
      await write((tx) => {
        tx.putAlarm(first);
        tx.putAlarm(second);
        expect(tx.alarms()).toEqual([second, first]);
      });
      const moved: AlarmState = {
        ...first,
        changes: [...first.changes, { state: "ok", at: "2026-01-02T00:00:00.000Z", value: null }],
      };
      await write((tx) => {
        tx.putAlarm(moved);
        tx.deleteAlarm(second.id);
        tx.deleteAlarm("never-there");
      });
      expect(store().alarms()).toEqual([moved]);
    });

    it.skipIf(!features.persistent)("keeps everything through a reopening", async () => {
      await write((tx) => {
        tx.putCheckpoint(checkpoint("f", "c"));
        tx.putRun(run("f", 1, "running"));
        tx.putLoad(load("f", "l"));
        tx.remember("f", "k", "v");
        tx.put("token", "t");
        tx.putAlarm(alarm("q messages 5"));
      });
      if (!subject.reopen) throw new Error("a persistent subject must be able to reopen");
      subject = await subject.reopen();
      expect(store().checkpoint("f")).toEqual(checkpoint("f", "c"));
      expect(store().unfinishedRuns("f")).toEqual([run("f", 1, "running")]);
      expect(store().openLoads("f")).toEqual([load("f", "l")]);
      expect(await write((tx) => tx.seen("f", "k"))).toBe("v");
      expect(store().get("token")).toBe("t");
      expect(store().alarms()).toEqual([alarm("q messages 5")]);
    });
  });
}

export function checkpoint(flow: string, cursor: Value): Checkpoint {
  return {
    flow,
    stream: "Account",
    cursor,
    nextSequence: 1,
    updatedAt: "2026-01-01T00:00:00.000Z",
    run: runName(1),
    generation: runName(1),
    complete: false,
  };
}

function runName(i: number): string {
  return `20260101T0000${String(i).padStart(2, "0")}000Z-abcd`;
}

function run(flow: string, i: number, status: RunState["status"] = "succeeded"): RunState {
  return {
    flow,
    run: runName(i),
    generation: runName(i),
    readComplete: true,
    trigger: "manual",
    status,
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: null,
    window: { from: null, to: null },
    records: { fetched: 1, filtered: 0, dropped: 0, deadLettered: 0, loaded: 1, queued: 0 },
    rejected: { dropped: 0, deadLettered: 0 },
    repeated: 0,
    bytes: 10,
    pages: 1,
    sinks: [],
    apiCalls: 1,
    error: null,
  };
}

function alarm(id: string): AlarmState {
  return {
    id,
    queue: "q",
    metric: "oldest",
    threshold: 5,
    changes: [{ state: "firing", at: "2026-01-01T00:00:00.000Z", value: 7 }],
  };
}

function load(flow: string, id: string): LoadState {
  return {
    id,
    flow,
    run: runName(1),
    generation: runName(1),
    queue: "q",
    connection: "lake",
    messageIds: ["m1", "m2"],
    records: 2,
    bytes: 20,
    schema: { fields: [{ name: "Id", type: "string" }] },
    openedAt: "2026-01-01T00:00:00.000Z",
  };
}
