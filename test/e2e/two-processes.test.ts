import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Fake, startS3Fake } from "../fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { documentOf, landedIds, liveIds, ScratchProject, said, struck } from "./scratch-project.js";

// Several sluice processes on one data directory: the second works or says clearly why not, and nothing is spoiled.

/** Real processes on a machine that may be busy. */
const OPTIONS = { concurrent: true, timeout: 120_000 };
/** Holds a run in the middle of its read until the process is told to end, or the fault is taken away for the next. */
const HELD_MS = 100_000;

let s3: S3Fake;
beforeAll(async () => {
  s3 = await startS3Fake({ buckets: ["lake"] });
});
afterAll(() => s3.close());

interface World {
  readonly org: SalesforceFake;
  readonly project: ScratchProject;
  /** This page, from the second on, does not come. */
  hold(page: number): void;
}

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 100,
    org: { accounts: 300, contacts: 300, opportunities: 300, invoices: 0, users: 3 },
  });
  const project = new ScratchProject(org, { s3 });
  const hold = (page: number) => {
    org.faults.add({ path: "/query/", on: { nth: page - 1 }, fault: { kind: "slow", delayMs: HELD_MS } });
  };
  try {
    await work({ org, project, hold });
  } finally {
    await org.close();
    project.remove();
  }
}

const jsonl = (path: string) => `{ connection: files, path: ${path}, format: jsonl, compression: none }`;

describe("the same flow twice", OPTIONS, () => {
  it("the second says which process runs it and how long, ends with 1, and disturbs nothing", async () => {
    await withWorld(async ({ org, project, hold }) => {
      project.flow("accounts", "Account", [jsonl("accounts")]);
      hold(2);
      const first = project.start("run accounts --json");
      await struck(org, "slow", first);
      const second = await project.run("accounts");
      expect(second.code).toBe(1);
      expect(second.document).toMatchObject({
        run: null,
        status: "failed",
        error: {
          class: "transient",
          code: "FLOW_RUNNING",
          message: expect.stringMatching(
            new RegExp(`^flow accounts is being run by process ${first.child.pid} on \\S+ since 20`),
          ),
          fix: "Wait for that run to end, or stop that process.",
        },
      });
      org.faults.clear();
      first.child.kill("SIGINT");
      expect((await first.exit).code).toBe(130);
      expect((await project.run("accounts")).code).toBe(0);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
    });
  });

  it("started at the same instant one of them wins, and every record lands once", async () => {
    await withWorld(async ({ org, project }) => {
      project.flow("accounts", "Account", [jsonl("accounts")]);
      const exits = await Promise.all(Array.from({ length: 3 }, () => project.run("accounts")));
      for (const { code, document } of exits) {
        if (code === 0) continue;
        expect(code).toBe(1);
        expect(document.error?.code).toBe("FLOW_RUNNING");
      }
      // One that came when the first had ended read nothing new.
      expect(exits.some(({ code }) => code === 0)).toBe(true);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
    });
  });
});

describe("different flows at once", OPTIONS, () => {
  it("write the same DuckDB file, folder and bucket, each record once", async () => {
    await withWorld(async ({ org, project }) => {
      const objects = ["Account", "Contact", "Opportunity"];
      for (const object of objects) {
        project.flow(
          object.toLowerCase(),
          object,
          [
            `{ connection: warehouse, table: ${object.toLowerCase()}, write: upsert, key: [Id] }`,
            "{ connection: warehouse, table: everything, write: append }",
            jsonl("shared"),
            "{ connection: lake, path: shared, format: jsonl }",
          ],
          "map: [{ from: Id, to: Id }, { from: SystemModstamp, to: changed }]",
        );
      }
      const exits = await Promise.all(objects.map((object) => project.run(object.toLowerCase())));
      for (const { code, stderr } of exits) {
        expect(stderr).not.toContain("error[");
        expect(code).toBe(0);
      }
      const all = objects.flatMap((object) => liveIds(org, object)).sort();
      expect(landedIds(project.landed("shared"))).toEqual(all);
      expect(await project.rows("select Id from everything order by Id")).toEqual(all);
      for (const object of objects) {
        const rows = await project.rows(`select Id from ${object.toLowerCase()} order by Id`);
        expect(rows).toEqual(liveIds(org, object));
      }
      const status = await project.line("status --json");
      expect(JSON.parse(status.stdout).flows).toHaveLength(3);
    });
  });

  it("killing one leaves the other alone, and the killed one goes on afterwards", async () => {
    await withWorld(async ({ org, project, hold }) => {
      project.flow("accounts", "Account", [jsonl("accounts")]);
      project.flow("contacts", "Contact", [jsonl("contacts")]);
      hold(2);
      const killed = project.start("run accounts --json");
      await struck(org, "slow", killed);
      // The second one is in the middle too, when the first is killed: its page comes a moment later.
      org.faults.set({ rules: [{ path: "/query/", on: { nth: 1 }, fault: { kind: "slow", delayMs: 500 } }] });
      const survivor = project.start("run contacts --json");
      await struck(org, "slow", survivor, 2);
      killed.child.kill("SIGKILL");
      expect((await killed.exit).signal).toBe("SIGKILL");
      const survived = await survivor.exit;
      expect(survived.code).toBe(0);
      expect(documentOf(survived).records.loaded).toBe(liveIds(org, "Contact").length);
      org.faults.clear();
      const again = await project.run("accounts");
      expect(again.code).toBe(0);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
      expect(landedIds(project.landed("contacts"))).toEqual(liveIds(org, "Contact"));
      const runs = JSON.parse((await project.line("runs --json")).stdout) as {
        flow: string;
        status: string;
      }[];
      expect(runs.map(({ flow, status }) => `${flow} ${status}`).sort()).toEqual([
        "accounts failed",
        "accounts succeeded",
        "contacts succeeded",
      ]);
    });
  });
});

describe("while a run is going on", OPTIONS, () => {
  it("others see its state, queues and dead letters, and cannot spoil it", async () => {
    await withWorld(async ({ org, project, hold }) => {
      org.faults.add({
        path: "/query",
        on: { nth: 1 },
        fault: { kind: "poisonRecord", poison: "wrongType", field: "NumberOfEmployees" },
      });
      project.flow("accounts", "Account", [jsonl("accounts")], "errors: { maxRejected: 1 }");
      hold(3);
      const running = project.start("run accounts --json");
      await struck(org, "slow", running);
      const [status, runs, queues, letters, peek] = await Promise.all([
        project.line("status --json"),
        project.line("runs accounts --json"),
        project.line("queue list --json"),
        project.deadLetters("accounts"),
        project.line("queue peek accounts--0-files --json"),
      ]);
      expect(JSON.parse(status.stdout).flows[0]).toMatchObject({ flow: "accounts", state: "running" });
      expect(JSON.parse(runs.stdout)[0]).toMatchObject({ status: "running", records: { fetched: 200 } });
      expect(JSON.parse(queues.stdout)).toEqual(
        expect.arrayContaining([expect.objectContaining({ queue: "accounts--0-files", records: 199 })]),
      );
      expect(letters).toHaveLength(1);
      expect(peek.code).toBe(0);
      const changes = ["queue purge accounts--0-files --yes", "dead-letters redrive --flow accounts"];
      for (const change of changes) {
        const refused = await project.line(change);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(/^error\[FLOW_RUNNING\] .* is being run by process \d+ /m);
      }
      expect(await project.deadLetters("accounts")).toHaveLength(1);
      running.child.kill("SIGINT");
      expect((await running.exit).code).toBe(130);
      org.faults.clear();
      expect((await project.run("accounts")).code).toBe(0);
      const landed = landedIds(project.landed("accounts"));
      expect(landed).toHaveLength(liveIds(org, "Account").length - 1);
      expect(new Set(landed).size).toBe(landed.length);
    });
  });

  it("a second SIGINT ends it at once, and the next run goes on", async () => {
    await withWorld(async ({ org, project, hold }) => {
      project.flow("accounts", "Account", [jsonl("accounts")]);
      hold(3);
      const running = project.start("run accounts");
      await struck(org, "slow", running);
      running.child.kill("SIGINT");
      await said("SIGINT: stopping cleanly; once more ends at once.", running);
      running.child.kill("SIGINT");
      const ended = await running.exit;
      // Dead by the signal, which shells report as 130; or it had just come to its clean end.
      expect([130, "SIGINT"]).toContain(ended.code ?? ended.signal);
      org.faults.clear();
      expect((await project.run("accounts")).code).toBe(0);
      expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
    });
  });
});
