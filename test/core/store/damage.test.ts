import { spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../seeded-random.js";
import type { DamageReport } from "./damage-child.js";
import { scratchDir } from "./scratch-dir.js";

/** Each damaged copy is used by a child process, since a memory map of a damaged file may end it with a signal. */
const CHILD = join(process.cwd(), "dist", "test", "core", "store", "damage-child.js");
const MESSAGES = 200;
const PAGE = 4096;
const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);

const REFUSED = { code: "DATA_DIR_DAMAGED", kind: "config", good: 0, bad: 0 };
const UNHARMED = { code: null, text: null, good: 2 * MESSAGES, bad: 0 };

describe("a damaged data directory", () => {
  const folder = scratchDir();
  const whole = join(folder.path, "whole");
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random.next() * n);
  let bytes = Buffer.alloc(0);
  let treePages: readonly number[] = [];

  beforeAll(() => {
    if (!existsSync(CHILD))
      throw new Error(`${CHILD} is missing: run \`npm run build\` first (npm test does)`);
    const filled = spawnSync(process.execPath, [CHILD, "fill", String(MESSAGES), whole], {
      encoding: "utf8",
    });
    if (filled.status !== 0) throw new Error(filled.stderr);
    bytes = readFileSync(join(whole, "buffer", "data.mdb"));
    treePages = pagesOfTrees(bytes);
  });
  afterAll(() => folder.remove());

  /** What a process makes of each copy: a report, or the signal that ended it. */
  function outcomes(
    damages: readonly { readonly what: string; readonly damage: (dataDir: string) => void }[],
  ) {
    const dirs = damages.map(({ damage }, index) => {
      const dir = join(folder.path, `copy${index}`);
      rmSync(dir, { recursive: true, force: true });
      cpSync(whole, dir, { recursive: true });
      damage(dir);
      return dir;
    });
    const reports: (DamageReport & { readonly what: string })[] = [];
    while (reports.length < dirs.length) {
      const rest = dirs.slice(reports.length);
      const child = spawnSync(process.execPath, [CHILD, "read", String(MESSAGES), ...rest], {
        encoding: "utf8",
        timeout: 60_000,
      });
      const lines = child.stdout.split("\n").filter(Boolean);
      for (const line of lines) {
        const report: DamageReport = JSON.parse(line);
        reports.push({ ...report, what: damages[reports.length]?.what ?? "" });
      }
      if (lines.length === rest.length) break;
      const text = `ended with ${child.signal ?? child.status}: ${child.stderr}`;
      const what = damages[reports.length]?.what ?? "";
      reports.push({ what, code: null, kind: null, text, good: 0, bad: 0 });
    }
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
    return reports;
  }

  function flip(dataDir: string, at: number): void {
    const file = openSync(join(dataDir, "buffer", "data.mdb"), "r+");
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << below(8));
    writeSync(file, byte, 0, 1, at);
    closeSync(file);
  }

  function overwrite(dataDir: string, at: number, content: Buffer): void {
    const file = openSync(join(dataDir, "buffer", "data.mdb"), "r+");
    writeSync(file, content, 0, content.length, at);
    closeSync(file);
  }

  it("is one that works, when nothing is damaged", () => {
    expect(outcomes([{ what: "nothing", damage: () => {} }])).toMatchObject([UNHARMED]);
  });

  it("is refused when its file was cut short, anywhere, with or without the note of its length", () => {
    const cuts = Array.from({ length: 8 }, () => below(bytes.length - 1));
    const damages = [...cuts, bytes.length - 1, PAGE, 2 * PAGE].flatMap((length) =>
      [true, false].map((noted) => ({
        what: `${length} of ${bytes.length} bytes, ${noted ? "" : "not "}noted`,
        damage: (dir: string) => {
          truncateSync(join(dir, "buffer", "data.mdb"), length);
          if (!noted) rmSync(join(dir, "buffer", "extent"));
        },
      })),
    );
    for (const { what, ...report } of outcomes(damages)) {
      // What the last commits freed may lie at the end: without the note nobody can miss it, and nobody needs it.
      const harmless = what.includes("not noted") && report.code === null;
      expect(report, `${what}, seed ${seed}`).toMatchObject(harmless ? UNHARMED : REFUSED);
    }
  });

  it("is refused when a page that says where things are is zeroed or garbage", () => {
    const garbage = Buffer.from(Array.from({ length: PAGE }, () => below(256)));
    const some = treePages.filter((_, index) => index % Math.ceil(treePages.length / 10) === 0);
    const damages = some.flatMap((page) =>
      [Buffer.alloc(PAGE), garbage].map((content) => ({
        what: `page ${page} ${content === garbage ? "garbage" : "zeroed"}`,
        damage: (dir: string) => overwrite(dir, page * PAGE, content),
      })),
    );
    for (const { what, ...report } of outcomes(damages))
      expect(report, `${what}, seed ${seed}`).toMatchObject(REFUSED);
  });

  it("is refused, or unharmed, when a bit of a meta page is another", () => {
    const damages = Array.from({ length: 25 }, () => {
      const at = below(2) * PAGE + below(168);
      return { what: `byte ${at}`, damage: (dir: string) => flip(dir, at) };
    });
    const reports = outcomes(damages);
    for (const { what, ...report } of reports)
      expect(report, `${what}, seed ${seed}`).toMatchObject(report.code === null ? UNHARMED : REFUSED);
    expect(reports.filter(({ code }) => code !== null).length).toBeGreaterThan(5);
  });

  it("is refused where a meta page would have LMDB map what is not there, or read it as another kind of file", () => {
    // Bits that ended the process: the environment's flags, and a last page far behind the end, in either meta page.
    const damages = [53, 148, PAGE + 53, PAGE + 148].map((at) => ({
      what: `byte ${at}`,
      damage: (dir: string) => overwrite(dir, at, Buffer.from([(bytes[at] ?? 0) ^ 0x02])),
    }));
    for (const { what, ...report } of outcomes(damages)) expect(report, what).toMatchObject(REFUSED);
  });

  it("is refused, or unharmed, when a bit of a page's head or of its pointers is another", () => {
    const damages = Array.from({ length: 25 }, () => {
      const page = treePages[below(treePages.length)] ?? 0;
      // Number, transaction, flags, bounds, and one pointer: two bytes of padding among them.
      const at = page * PAGE + below(26);
      return { what: `byte ${at % PAGE} of page ${page}`, damage: (dir: string) => flip(dir, at) };
    });
    const reports = outcomes(damages);
    for (const { what, ...report } of reports)
      expect(report, `${what}, seed ${seed}`).toMatchObject(report.code === null ? UNHARMED : REFUSED);
    expect(reports.filter(({ code }) => code !== null).length).toBeGreaterThan(12);
  });

  it("is refused when the list of free pages names one in use", () => {
    const used = treePages[0] ?? 0;
    const listed = freePageEntry(bytes);
    const entry = Buffer.alloc(8);
    entry.writeBigUInt64LE(BigInt(used));
    const [report] = outcomes([{ what: "free page in use", damage: (dir) => overwrite(dir, listed, entry) }]);
    expect(report).toMatchObject({ ...REFUSED, text: expect.stringMatching(/file uses page \d+ twice/) });
  });

  it("is refused when another program's file is in its place", () => {
    const file = (content: Buffer) => (dir: string) => {
      writeFileSync(join(dir, "buffer", "data.mdb"), content);
      rmSync(join(dir, "buffer", "extent"));
    };
    const sqlite = Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(3 * PAGE)]);
    const reports = outcomes([
      { what: "another program's", damage: file(sqlite) },
      { what: "text", damage: file(Buffer.from("hello\n")) },
      {
        what: "emptied, which the note tells",
        damage: (dir) => truncateSync(join(dir, "buffer", "data.mdb"), 0),
      },
    ]);
    for (const report of reports) expect(report, report.what).toMatchObject(REFUSED);
  });

  it("works with a lock file that is garbage: it holds nothing that lasts", () => {
    const garbage = Buffer.from(Array.from({ length: 64 * 1024 }, () => below(256)));
    const reports = outcomes(
      [garbage, Buffer.alloc(0), Buffer.from("x")].map((content) => ({
        what: `lock file of ${content.length} bytes`,
        damage: (dir: string) => writeFileSync(join(dir, "buffer", "lock.mdb"), content),
      })),
    );
    for (const report of reports) expect(report, report.what).toMatchObject(UNHARMED);
  });
});

const newestMeta = (file: Buffer) =>
  file.readBigUInt64LE(152) > file.readBigUInt64LE(PAGE + 152) ? file : file.subarray(PAGE);

/** Branch and leaf pages that are in use, found by following the trees as LMDB does. */
function pagesOfTrees(file: Buffer): number[] {
  const pages: number[] = [];
  const follow = (root: bigint) => {
    if (root === 0xffff_ffff_ffff_ffffn) return;
    const at = Number(root) * PAGE;
    pages.push(Number(root));
    const leaf = (file.readUInt16LE(at + 18) & 2) !== 0;
    for (let index = 0; index < file.readUInt16LE(at + 20) / 2; index++) {
      const node = at + 24 + file.readUInt16LE(at + 24 + 2 * index);
      if (!leaf) follow(BigInt(file.readUInt32LE(node)));
      else if (file.readUInt16LE(node + 4) === 2)
        follow(file.readBigUInt64LE(node + 8 + file.readUInt16LE(node + 6) + 40));
    }
  };
  const meta = newestMeta(file);
  follow(meta.readBigUInt64LE(88));
  follow(meta.readBigUInt64LE(136));
  return pages;
}

/** Where the first number of the newest list of free pages stands. */
function freePageEntry(file: Buffer): number {
  const root = Number(newestMeta(file).readBigUInt64LE(88)) * PAGE;
  const count = file.readUInt16LE(root + 20) / 2;
  const node = root + 24 + file.readUInt16LE(root + 24 + 2 * (count - 1));
  return node + 8 + file.readUInt16LE(node + 6) + 8;
}
