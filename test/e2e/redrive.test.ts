import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type S3Fake, startS3Fake } from "../fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { seededRandom } from "../seeded-random.js";
import { landedIds, liveIds, ScratchProject, said } from "./scratch-project.js";

// Dead letters on their way back, in processes that are killed or meet another: each record reaches its sinks once.

/** Real processes on a machine that may be busy. */
const OPTIONS = { concurrent: true, timeout: 180_000 };
const ACCOUNTS = 240;
const KILLS = 3;
const S3 = "{ connection: lake, path: accounts, format: jsonl, compression: gzip }";
const JSONL = "{ connection: files, path: accounts, format: jsonl, compression: none }";
const STRICT = `validate: [{ field: Name, rule: maxLength, length: 1, onFail: deadLetter }]`;

interface World {
  readonly org: SalesforceFake;
  readonly s3: S3Fake;
  readonly project: ScratchProject;
  readonly all: readonly string[];
}

/** Every record is a dead letter, and the flow lets them pass by now. */
async function withLetters(work: (world: World) => Promise<void>): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 60,
    org: { accounts: ACCOUNTS, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
  const s3 = await startS3Fake({ buckets: ["lake"] });
  const project = new ScratchProject(org, { s3 });
  try {
    project.flow("accounts", "Account", [S3, JSONL], STRICT);
    const { code, document } = await project.run("accounts");
    expect(code).toBe(0);
    expect(document.records.deadLettered).toBe(liveIds(org, "Account").length);
    project.flow("accounts", "Account", [S3, JSONL]);
    await work({ org, s3, project, all: liveIds(org, "Account") });
  } finally {
    await org.close();
    await s3.close();
    project.remove();
  }
}

function idsInS3(s3: S3Fake): string[] {
  return s3
    .objects("lake")
    .filter(({ key }) => key.endsWith(".jsonl.gz"))
    .flatMap(({ key }) =>
      gunzipSync(s3.get("lake", key)?.body ?? "")
        .toString()
        .trimEnd()
        .split("\n"),
    )
    .map((line) => String(JSON.parse(line).Id))
    .sort();
}

const REDRIVE = "dead-letters redrive --flow accounts --json";

async function assertOnce({ s3, project, all }: World): Promise<void> {
  expect(await project.deadLetters("accounts")).toEqual([]);
  expect(idsInS3(s3)).toEqual(all);
  expect(landedIds(project.landed("accounts"))).toEqual(all);
  const runs = JSON.parse((await project.line("runs accounts --limit 0 --json")).stdout);
  for (const { records, status } of runs) {
    const { fetched, filtered, dropped, deadLettered, loaded, queued } = records;
    expect(fetched).toBe(filtered + dropped + deadLettered + loaded + queued);
    expect(queued).toBe(0);
    expect(status).not.toBe("running");
  }
  const redriven = runs.filter(({ trigger }: { trigger: string }) => trigger === "redrive");
  const fetched = redriven.map(({ records }: { records: { fetched: number } }) => records.fetched);
  expect(fetched.reduce((sum: number, count: number) => sum + count, 0)).toBe(all.length);
}

describe("a redrive", OPTIONS, () => {
  it("killed between leaving the dead-letter queue and being loaded goes on with the next run", async () => {
    await withLetters(async (world) => {
      const { s3, project, all } = world;
      // The object is there, its answer is not: the load is open, its letters have left their queue.
      const undo: { call?: () => void } = {};
      const struck = new Promise<void>((resolve) => {
        undo.call = s3.faults.add({
          operation: "PutObject",
          key: /\.jsonl\.gz$/,
          action: { type: "slow", ms: 100_000 },
          onStrike: resolve,
        });
      });
      const redrive = project.start(REDRIVE);
      await struck;
      // The other sink is at it as well; what it has written by then is part of the test.
      redrive.child.kill("SIGKILL");
      expect((await redrive.exit).signal).toBe("SIGKILL");
      undo.call?.();
      expect(await project.deadLetters("accounts")).toEqual([]);
      const status = JSON.parse((await project.line("status --json")).stdout);
      expect(status.flows[0]).toMatchObject({ state: "interrupted" });
      expect(status.flows[0].queues[0]).toMatchObject({ records: all.length });
      // There is nothing left to redrive, and a run delivers what the dead process had under way.
      expect(JSON.parse((await project.line(REDRIVE)).stdout)).toEqual([]);
      expect((await project.run("accounts")).code).toBe(0);
      await assertOnce(world);
    });
  });

  it("killed at any instant sends every letter back once", async () => {
    const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);
    const random = seededRandom(seed);
    await withLetters(async (world) => {
      const { project } = world;
      for (let kill = 0; kill < KILLS; kill++) {
        // At this rate it takes twelve seconds: the kills fall into, between and behind the letters' transactions.
        const redrive = project.start("dead-letters redrive --flow accounts --rate 20");
        await said("(at most 20 records a second)", redrive);
        await new Promise((resolve) => setTimeout(resolve, random.next() * 500));
        redrive.child.kill("SIGKILL");
        expect((await redrive.exit).signal).toBe("SIGKILL");
      }
      const left = (await project.deadLetters("accounts")).length;
      expect(left).toBeGreaterThan(0);
      expect(JSON.parse((await project.line(REDRIVE)).stdout)).toMatchObject([{ redriven: left }]);
      await assertOnce(world);
    }).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
  });

  it("and another one at the same time: one of them does it, the other says so", async () => {
    await withLetters(async (world) => {
      const { project } = world;
      const exits = await Promise.all(Array.from({ length: 3 }, () => project.line(`${REDRIVE} --rate 200`)));
      expect(exits.some(({ code }) => code === 0)).toBe(true);
      for (const { code, stdout } of exits.filter((exit) => exit.code !== 0)) {
        expect(code).toBe(1);
        expect(JSON.parse(stdout)).toMatchObject({ error: { code: "FLOW_RUNNING" } });
      }
      await assertOnce(world);
    });
  });
});
