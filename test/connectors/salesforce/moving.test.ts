import { describe, expect, it } from "vitest";
import { optionsSchema } from "../../../connectors/salesforce/config.js";
import type { Source, SourceRecord } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import {
  Org,
  type SalesforceFake,
  startSalesforceFake,
  type Transaction,
} from "../../fakes/salesforce/index.js";
import { seededRandom } from "../../seeded-random.js";
import { collect, connectTo, requestFor } from "./org.js";

const MINUTE = 60_000;

interface How {
  readonly api: "rest" | "bulk";
  /** Whether Salesforce names a date up to which changes are complete. */
  readonly settled: boolean;
}
const REST: How = { api: "rest", settled: true };

async function read(
  source: Source,
  ledger: SourceLedger,
  between: () => "go" | "die" = () => "go",
  { api }: How = REST,
): Promise<void> {
  const request = await requestFor(source, "Thing__c", {
    fields: ["Id", "Name"],
    options: optionsSchema.parse({ pageSize: 200, api }),
    ...(ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint }),
  });
  for await (const page of source.read(request)) {
    ledger.take(page);
    if (between() === "die") return;
  }
}

const newLedger = () => new SourceLedger("SystemModstamp", ["Id"]);

/** The newest version of each record. */
function table(ledger: SourceLedger): Map<string, string> {
  const newest = new Map<string, SourceRecord>();
  for (const record of ledger.stored) {
    const before = newest.get(ledger.keyOf(record));
    if (before === undefined || String(record.SystemModstamp) >= String(before.SystemModstamp)) {
      newest.set(ledger.keyOf(record), record);
    }
  }
  return new Map([...newest].map(([id, { Name }]) => [id, String(Name)]));
}

/** An org of `count` things whose stamps lie close together, many on one second. */
function things(clock: PatientClock, count: number, replicateable = true): Org {
  const org = new Org(clock);
  org.define({
    name: "Thing__c",
    keyPrefix: "a00",
    replicateable,
    fields: [
      { name: "Id", type: "id" },
      { name: "Name", type: "string" },
      { name: "IsDeleted", type: "boolean" },
      { name: "CreatedDate", type: "datetime" },
      { name: "LastModifiedDate", type: "datetime" },
      { name: "SystemModstamp", type: "datetime" },
    ],
  });
  const start = clock.now() - count * 10;
  for (let n = 0; n < count; n++)
    org.upsert("Thing__c", { Name: `thing ${n}` }, start + Math.floor(n / 300) * 3000);
  return org;
}

const HOWS: readonly How[] = [
  { api: "rest", settled: true },
  { api: "rest", settled: false },
  { api: "bulk", settled: true },
  { api: "bulk", settled: false },
];
const FUZZ = HOWS.flatMap((how) => [1, 2, 3, 4].map((seed) => ({ ...how, seed })));

describe("records that move while they are read", () => {
  it.each(FUZZ)(
    "arrive once in every version that was there at the end: by $api, settled $settled, seed $seed",
    async ({ seed, ...how }) => {
      const random = seededRandom(seed);
      const clock = new PatientClock();
      const org = things(clock, 1_300, how.settled);
      const rows = org.table("Thing__c");
      const fake: SalesforceFake = await startSalesforceFake({
        clock,
        org,
        pageSize: 200,
        shortPages: { probability: 0.3, seed },
        cursors: { max: 3 },
        bulk: { pageRows: 150 },
      });
      const ids = [...rows.rows()].map((row) => row.id);
      const ledger = newLedger();
      const locked = new Set<string>();
      const open: { readonly transaction: Transaction; readonly ids: readonly string[] }[] = [];
      let changes = 0;
      const commit = () => {
        const oldest = open.shift();
        oldest?.transaction.commit();
        for (const id of oldest?.ids ?? []) locked.delete(id);
      };
      const move = () => {
        clock.set(clock.now() + Math.floor(random.next() * 4_000));
        if (
          open.length > 0 &&
          (random.next() < 0.3 || clock.now() - open[0]!.transaction.startedAt > 4 * MINUTE)
        )
          commit();
        const some = ids.filter((id) => !locked.has(id) && random.next() < 0.02);
        // Now, or stamped now and seen when the transaction ends, up to five minutes later.
        if (random.next() < 0.3) {
          const transaction = org.begin();
          for (const id of some) {
            locked.add(id);
            transaction.upsert("Thing__c", { Id: id, Name: `change ${++changes}` });
          }
          open.push({ transaction, ids: some });
        } else {
          for (const id of some) org.upsert("Thing__c", { Id: id, Name: `change ${++changes}` });
        }
        if (random.next() < 0.1) fake.closeCursors();
        if (random.next() < 0.1) fake.bulk.forget();
        if (random.next() < 0.1) ids.push(...org.insertSome("Thing__c", 5, seed + changes));
      };
      try {
        const { source } = connectTo(fake.url, {
          clock,
          config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
        });
        const between = () => {
          move();
          return random.next() < 0.08 ? "die" : "go";
        };
        for (let run = 0; run < 12; run++) {
          await read(source, ledger, between, how);
          while (open.length > 0) commit();
          clock.set(clock.now() + Math.floor(random.next() * 20 * MINUTE));
        }
        // Quiet now: two more reads bring everything in.
        for (let run = 0; run < 2; run++) {
          clock.set(clock.now() + 6 * MINUTE);
          await read(source, ledger, () => "go", how);
        }
        const versions = ledger.versions();
        expect(versions.length, `seed ${seed}`).toBe(new Set(versions).size);
        const there = new Map(
          [...rows.rows()].map((row) => [row.id, String(rows.column("Name")?.read(row))]),
        );
        expect(table(ledger), `seed ${seed}`).toEqual(there);
        await source.close();
      } finally {
        await fake.close();
      }
    },
  );

  it.each([1, 2, 3, 4])(
    "arrive once in a full read by Bulk, whatever dies on the way: seed %i",
    async (seed) => {
      const random = seededRandom(seed);
      const clock = new PatientClock();
      const org = things(clock, 1_300);
      const fake = await startSalesforceFake({ clock, org, bulk: { pageRows: 110, mostRows: 700 } });
      const { source } = connectTo(fake.url, {
        clock,
        config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
      });
      const ledger = new SourceLedger(undefined, ["Id"]);
      let done = false;
      for (let run = 0; run < 60 && !done; run++) {
        const request = await requestFor(source, "Thing__c", {
          fields: ["Id", "Name"],
          options: optionsSchema.parse({ api: random.next() < 0.15 ? "rest" : "bulk" }),
          mode: "full",
          cursorField: undefined,
          ...(ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint, resumes: true }),
        });
        done = true;
        for await (const page of source.read(request)) {
          ledger.take(page);
          org.changeSome("Thing__c", 5, seed + run);
          clock.set(clock.now() + Math.floor(random.next() * 60_000));
          if (random.next() < 0.15) fake.bulk.forget();
          done = random.next() > 0.3;
          if (!done) break;
        }
      }
      expect(done, `seed ${seed}`).toBe(true);
      const ids = [...org.table("Thing__c").rows()].map(({ id }) => id);
      expect(ledger.keys().sort(), `seed ${seed}`).toEqual(ids.sort());
      await source.close();
      await fake.close();
    },
  );

  it.each(HOWS)(
    "a whole page of them within the last quarter of an hour, and then a crash: nothing is skipped ($api, settled $settled)",
    async (how) => {
      const clock = new PatientClock();
      const org = things(clock, 1_200, how.settled);
      const rows = org.table("Thing__c");
      const fake = await startSalesforceFake({ clock, org, pageSize: 200, bulk: { pageRows: 150 } });
      const { source } = connectTo(fake.url, {
        clock,
        config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
      });
      const ids = [...rows.ordered()].map((row) => row.id);
      // Out of reach of any lookback: what is skipped now is skipped for good.
      clock.set(clock.now() + 60 * MINUTE);
      // It stamps what the second page of the query holds, and is still running when the first one is read.
      const transaction = org.begin();
      for (const id of ids.slice(200, 600)) transaction.upsert("Thing__c", { Id: id, Name: "late" });
      clock.set(clock.now() + 6 * MINUTE);
      const ledger = newLedger();
      let pages = 0;
      const crash = () => {
        if (++pages === 1) transaction.commit();
        return pages === 2 ? ("die" as const) : ("go" as const);
      };
      await read(source, ledger, crash, how);
      await read(source, ledger, () => "go", how);
      clock.set(clock.now() + 10 * MINUTE);
      await read(source, ledger, () => "go", how);
      const there = new Map([...rows.rows()].map((row) => [row.id, String(rows.column("Name")?.read(row))]));
      expect(table(ledger)).toEqual(there);
      expect(new Set(ledger.versions()).size).toBe(ledger.versions().length);
      await source.close();
      await fake.close();
    },
  );

  it("a record that leaves the frozen window during the read waits for the next one", async () => {
    const clock = new PatientClock();
    const org = things(clock, 700);
    const fake = await startSalesforceFake({ clock, org, pageSize: 200 });
    const { source } = connectTo(fake.url, {
      clock,
      config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
    });
    const ids = [...org.table("Thing__c").rows()].map((row) => row.id);
    const moved = ids[650] ?? "";
    const ledger = newLedger();
    clock.set(clock.now() + 5_000);
    let pages = 0;
    await read(source, ledger, () => {
      if (++pages === 1) org.upsert("Thing__c", { Id: moved, Name: "moved" }, clock.now() + 1_000);
      return "go";
    });
    expect(ledger.keys()).not.toContain(moved);
    expect(ledger.stored).toHaveLength(699);
    clock.set(clock.now() + MINUTE);
    await read(source, ledger, () => "go");
    expect(ledger.stored.filter(({ Id }) => Id === moved).map(({ Name }) => Name)).toEqual(["moved"]);
    expect(ledger.stored).toHaveLength(700);
    await source.close();
    await fake.close();
  });

  it.each(["incremental", "full", "in the overlap", "in an overlap that is not settled"])(
    "goes on behind the place reached when the locator dies: %s",
    async (how) => {
      const clock = new PatientClock();
      const unsettled = how === "in an overlap that is not settled";
      const org = things(clock, 1_100, !unsettled);
      const fake = await startSalesforceFake({ clock, org, pageSize: 200 });
      const { source } = connectTo(fake.url, {
        clock,
        config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
      });
      const dead = {
        status: 400,
        body: [{ errorCode: "INVALID_QUERY_LOCATOR", message: "invalid query locator" }],
      };
      fake.faults.set({
        rules: [{ path: "/query/01g", on: { every: 2 }, fault: { kind: "answer", ...dead } }],
      });
      const inOverlap = how.includes("overlap");
      clock.set(clock.now() + (unsettled ? 6 * MINUTE : inOverlap ? 1_000 : 3_600_000));
      const full = how === "full" ? { mode: "full" as const, cursorField: undefined } : {};
      const ledger = newLedger();
      const options = optionsSchema.parse({ pageSize: 200, api: "rest" });
      const again = async () =>
        collect(source.read(await requestFor(source, "Thing__c", { ...full, options })));
      if (unsettled) {
        // The place may not move there, so that every query begins at the same record.
        await expect(again()).rejects.toMatchObject({ code: "SALESFORCE_DEAD_LOCATOR" });
      } else {
        for (const page of await again()) ledger.take(page);
        expect(ledger.repeats).toBe(0);
        expect(ledger.stored).toHaveLength(1_100);
        expect(new Set(ledger.keys()).size).toBe(1_100);
        // Dead for ever, but each query brings a page.
        fake.faults.set({ rules: [{ path: "/query/01g", fault: { kind: "answer", ...dead } }] });
        expect((await again()).flatMap((page) => page.records)).toHaveLength(1_100);
      }
      await source.close();
      await fake.close();
    },
  );
});
