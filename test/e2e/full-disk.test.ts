import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { landedIds, liveIds, ScratchProject, said } from "./scratch-project.js";
import { SmallDisk, smallDiskRefusal } from "./small-disk.js";

// Real ENOSPC: a tmpfs of a few hundred KiB stands where the records go, and grows afterwards.

const refusal = smallDiskRefusal();
if (refusal !== undefined) process.stderr.write(`\nSKIPPED test/e2e/full-disk.test.ts: ${refusal}\n`);

/** Real processes on a machine that may be busy; a sink gives up after some 20 s of trying, most of them asleep. */
const OPTIONS = { concurrent: true, timeout: 120_000 };
const JSONL = "{ connection: files, path: accounts, format: jsonl, compression: none }";

interface World {
  readonly org: SalesforceFake;
  readonly project: ScratchProject;
  readonly disk: SmallDisk;
  readonly expected: readonly string[];
  /** The project's folder as this process sees it, what is on the small disk included. */
  readonly root: string;
}

/** `at`: what of the project's folder is the small disk. */
async function withSmallDisk(
  at: string,
  size: string,
  sink: string,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 200,
    org: { accounts: 1_000, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
  let disk: SmallDisk | undefined;
  const project = new ScratchProject(org, {
    start: (args, options) => {
      if (disk === undefined) throw new Error("the disk is not mounted");
      return disk.start(args, options);
    },
    connections: { warehouse: "{ connector: duckdb, path: database/warehouse.duckdb }" },
  });
  project.flow("accounts", "Account", [sink]);
  try {
    disk = await SmallDisk.mount(join(project.dir, at), size);
    await work({ org, project, disk, expected: liveIds(org, "Account"), root: disk.seen(project.dir) });
  } finally {
    disk?.unmount();
    await org.close();
    project.remove();
  }
}

function filesBelow(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
}

describe.skipIf(refusal !== undefined)("a full disk", OPTIONS, () => {
  it("of a folder: nothing half appears, all stays queued, and the next run delivers it", async () => {
    await withSmallDisk("landed", "256k", JSONL, async ({ project, disk, expected, root }) => {
      const full = await project.run("accounts");
      expect(full.code).toBe(1);
      expect(full.document.error).toMatchObject({
        class: "transient",
        code: "DISK_FULL",
        message: expect.stringMatching(/^no space is left on the disk of .*landed for \d+ bytes$/),
        place: expect.stringMatching(/landed\/accounts\/accounts-.*\.jsonl$/),
        fix: expect.stringMatching(/^Free at least \d+ bytes there; what is not written stays queued\.$/),
      });
      expect(full.document.records).toMatchObject({
        fetched: expected.length,
        loaded: 0,
        queued: expected.length,
      });
      expect(filesBelow(join(root, "landed")).filter((name) => name.endsWith(".jsonl"))).toEqual([]);
      disk.grow("16m");
      const next = await project.run("accounts");
      expect(next.code).toBe(0);
      expect(next.document).toMatchObject({
        records: { fetched: 0, queued: 0 },
        earlier: { runs: 1, records: expected.length },
      });
      expect(landedIds(project.landed("accounts", root))).toEqual(expected);
    });
  });

  it("of a DuckDB file: nothing is committed by half, and the next run delivers it", async () => {
    const sink = "{ connection: warehouse, table: accounts, write: append }";
    await withSmallDisk("database", "300k", sink, async ({ project, disk, expected, root }) => {
      const full = await project.run("accounts");
      expect(full.code).toBe(1);
      expect(full.document.error).toMatchObject({
        class: "transient",
        code: "DISK_FULL",
        message: expect.stringMatching(/^no space is left on the disk of .*database\/warehouse\.duckdb$/),
        place: expect.stringMatching(/database\/warehouse\.duckdb$/),
        fix: "Free some space; what is not written stays queued.",
      });
      expect(full.document.records).toMatchObject({ loaded: 0, queued: expected.length });
      disk.grow("64m");
      const next = await project.run("accounts");
      expect(next.code).toBe(0);
      expect(next.document.earlier).toEqual({ runs: 1, records: expected.length });
      const file = join(root, "database/warehouse.duckdb");
      expect(await project.rows("select Id from accounts order by Id", file)).toEqual(expected);
    });
  });

  it("that is given room while the run waits lets that run go on", async () => {
    const sink = "{ connection: files, path: accounts, format: parquet }";
    await withSmallDisk("landed", "16k", sink, async ({ project, disk, expected, root }) => {
      const running = project.start("run accounts --json");
      await said("sink call will be tried again", running);
      disk.grow("16m");
      const exit = await running.exit;
      expect(exit.code).toBe(0);
      expect(JSON.parse(exit.stdout)[0]).toMatchObject({
        status: "succeeded",
        records: { loaded: expected.length, queued: 0 },
      });
      const [file = "", ...others] = filesBelow(join(root, "landed")).filter((name) =>
        name.endsWith(".parquet"),
      );
      expect(others).toEqual([]);
      // Copied out of the namespace: DuckDB resolves the path of a file it opens.
      project.write({ "out.parquet": readFileSync(join(root, "landed", file)) });
      const rows = await project.query(
        `select Id from read_parquet('${project.dir}/out.parquet') order by Id`,
      );
      expect(rows).toEqual(expected);
    });
  });

  it("of the data directory: the run stops, others can look, and the next run goes on", async () => {
    await withSmallDisk(".sluice", "700k", JSONL, async ({ project, disk, expected, root }) => {
      const full = await project.run("accounts");
      expect(full.code).toBe(1);
      expect(full.document.error).toMatchObject({
        class: "transient",
        code: "DISK_FULL",
        message: "The disk of the data directory is full.",
        place: expect.stringMatching(/\.sluice\/buffer$/),
        fix: "Free space on that disk or move dataDir to a larger one, then run again; nothing is lost.",
      });
      // Told once, and nothing of the database's own.
      expect(full.stderr).not.toMatch(/^\s+at /m);
      const { queued } = full.document.records;
      expect(queued).toBeGreaterThan(0);
      const status = await project.line("status");
      expect(status.code).toBe(0);
      expect(status.stdout).toContain(
        "accounts ended with DISK_FULL: The disk of the data directory is full.",
      );
      disk.grow("64m");
      const next = await project.run("accounts");
      expect(next.code).toBe(0);
      expect(next.document.records.fetched).toBe(expected.length - queued);
      expect(next.document.earlier).toEqual({ runs: 1, records: queued });
      expect(landedIds(project.landed("accounts", root))).toEqual(expected);
    });
  });

  it("of the data directory from the start: one clear error, not a killed process", async () => {
    await withSmallDisk(".sluice", "64k", JSONL, async ({ project, disk, expected, root }) => {
      disk.sh("cat /dev/zero > filler 2>/dev/null || true");
      const full = await project.run("accounts");
      expect(full.code).toBe(1);
      expect(full.document).toMatchObject({ run: null, error: { code: "DISK_FULL" } });
      expect(full.stderr).toMatch(
        /^error\[DISK_FULL\] .*\.sluice.*: The disk of the data directory is full\.$/m,
      );
      const status = await project.line("status");
      expect(status.code).toBe(0);
      expect(status.stdout).toMatch(/^accounts +never /m);
      disk.grow("64m");
      expect((await project.run("accounts")).code).toBe(0);
      expect(landedIds(project.landed("accounts", root))).toEqual(expected);
    });
  });
});
