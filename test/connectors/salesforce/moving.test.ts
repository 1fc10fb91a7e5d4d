import { describe, expect, it } from "vitest";
import type { Source, SourceRecord } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { Org, type SalesforceFake, startSalesforceFake } from "../../fakes/salesforce/index.js";
import { seededRandom } from "../../seeded-random.js";
import { collect, connectTo, requestFor } from "./org.js";

const MINUTE = 60_000;

async function read(
  source: Source,
  ledger: SourceLedger,
  between: () => "go" | "die" = () => "go",
): Promise<void> {
  const request = await requestFor(source, "Thing__c", {
    fields: ["Id", "Name"],
    options: { pageSize: 200, settle: 0 },
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
function things(clock: PatientClock, count: number): Org {
  const org = new Org(clock);
  org.define({
    name: "Thing__c",
    keyPrefix: "a00",
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

describe("records that move while they are read", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "arrive once in every version that was there at the end: seed %i",
    async (seed) => {
      const random = seededRandom(seed);
      const clock = new PatientClock();
      const org = things(clock, 1_300);
      const rows = org.table("Thing__c");
      const fake: SalesforceFake = await startSalesforceFake({
        clock,
        org,
        pageSize: 200,
        shortPages: { probability: 0.3, seed },
        cursors: { max: 3 },
      });
      const ids = [...rows.rows()].map((row) => row.id);
      const ledger = newLedger();
      let changes = 0;
      const move = () => {
        clock.set(clock.now() + Math.floor(random.next() * 4_000));
        const some = ids.filter(() => random.next() < 0.02);
        for (const id of some) {
          // Now, or stamped in the past because its transaction was long.
          const late = random.next() < 0.3 ? Math.floor(random.next() * 5 * MINUTE) : 0;
          const before = rows.get(id)?.stamp ?? 0;
          const at = clock.now() - late;
          // A stamp never goes back.
          if (at > before) org.upsert("Thing__c", { Id: id, Name: `change ${++changes}` }, at);
        }
        if (random.next() < 0.1) fake.closeCursors();
        if (random.next() < 0.1) ids.push(...org.insertSome("Thing__c", 5, seed + changes));
      };
      try {
        const { source } = connectTo(fake.url, {
          clock,
          config: { auth: { type: "accessToken", accessToken: fake.accessToken } },
        });
        for (let run = 0; run < 12; run++) {
          await read(source, ledger, () => {
            move();
            return random.next() < 0.08 ? "die" : "go";
          });
          clock.set(clock.now() + Math.floor(random.next() * 20 * MINUTE));
        }
        // Quiet now: two more reads bring everything in.
        for (let run = 0; run < 2; run++) {
          clock.set(clock.now() + MINUTE);
          await read(source, ledger, () => "go");
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

  it.each(["incremental", "full", "in the overlap"])(
    "goes on behind the place reached when the locator dies: %s",
    async (how) => {
      const clock = new PatientClock();
      const org = things(clock, 1_100);
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
      if (how !== "in the overlap") clock.set(clock.now() + 3_600_000);
      const full = how === "full" ? { mode: "full" as const, cursorField: undefined } : {};
      const ledger = newLedger();
      const options = { pageSize: 200, settle: 0 };
      for (const page of await collect(
        source.read(await requestFor(source, "Thing__c", { ...full, options })),
      )) {
        ledger.take(page);
      }
      expect(ledger.repeats > 0).toBe(how === "in the overlap");
      expect(ledger.stored).toHaveLength(1_100);
      expect(new Set(ledger.keys()).size).toBe(1_100);
      // Dead for ever: the failure is told after a few tries.
      fake.faults.set({ rules: [{ path: "/query/01g", fault: { kind: "answer", ...dead } }] });
      const again = collect(source.read(await requestFor(source, "Thing__c", { ...full, options })));
      if (how === "in the overlap")
        await expect(again).rejects.toMatchObject({ code: "SALESFORCE_DEAD_LOCATOR" });
      else expect((await again).flatMap((page) => page.records)).toHaveLength(1_100);
      await source.close();
      await fake.close();
    },
  );
});
