import { fstatSync, readSync } from "node:fs";
import {
  type Apart,
  BRANCH,
  LEAF,
  META_PAGES,
  type Meta,
  Node,
  OVERFLOW,
  PAGE_HEADER,
  PageFault,
  pageSizeOf,
  readHead,
  readMeta,
  readTree,
  type Tree,
} from "./lmdb-pages.js";

/**
 * Pages looked at, 256 MiB of them, the upper levels of every table first: all pages that hold keys up to some five
 * million messages of 1 KB. What is beyond is trusted.
 */
const MOST_PAGES = 65_536;
/**
 * Heads of values that lie on pages of their own, the packs of messages. Reading all of them would take longer than all
 * the rest, and a wrong one is met when its value is read.
 */
const MOST_HEADS = 8_192;
/** Longer lists of free pages are trusted. */
const MOST_LISTED_BYTES = 16 * 1024 * 1024;

/** A writer at work never shows the same disorder so many times running; damage shows nothing else. */
const TIMES_CERTAIN = 3;
const MOST_TRIES = 12;

interface Step {
  readonly page: number;
  /** Keys of the page are at least this, and below that. */
  readonly from: Buffer | undefined;
  readonly to: Buffer | undefined;
}

/** Pages at the end that one transaction took and gave back: they were never written. 4 GiB of them are more than any. */
const MOST_UNWRITTEN = 2 ** 20;

/**
 * LMDB keeps no checksums and trusts every page number and offset it reads through its memory map: one damaged byte of
 * them ends the process with a signal, or hides messages, or frees pages that are in use. So the pages that say where
 * things are are read with plain reads and checked before LMDB maps the file: they lead to each other, are what they
 * are said to be, keep their keys in order and their counts, and none is used twice or listed as free.
 *
 * Returns what is wrong as the end of a sentence about the file, or undefined. Another process may be writing, and pages
 * that were read while commits went by need not fit together: only what is found again and again is damage.
 */
export function findDamage(file: number): string | undefined {
  let found: string | undefined;
  let times = 0;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const damage = damageSeen(file);
    if (damage === undefined) return undefined;
    times = damage === found ? times + 1 : 1;
    found = damage;
    if (times === TIMES_CERTAIN) return found;
  }
  return undefined;
}

function damageSeen(file: number): string | undefined {
  try {
    new PageWalk(file, readNewestMeta(file)).run();
    return undefined;
  } catch (error) {
    if (error instanceof PageFault) return error.message;
    throw error;
  }
}

function readNewestMeta(file: number): Meta {
  const pageSize = pageSizeOf(readAt(file, 0, 512));
  const both = readAt(file, 0, META_PAGES * pageSize);
  const [first, second] = [readMeta(both.subarray(0, pageSize), 0), readMeta(both.subarray(pageSize), 1)];
  const apart = Math.abs(first.transaction - second.transaction);
  if (first.pageSize !== second.pageSize || apart !== (first.transaction + second.transaction === 0 ? 0 : 1))
    throw new PageFault("has meta pages that do not belong together");
  const [older, newest] = first.transaction >= second.transaction ? [second, first] : [first, second];
  // The file never gets shorter, and LMDB maps as much as either of them says.
  if (older.lastPage > newest.lastPage) throw new PageFault("has meta pages that do not belong together");
  const pages = fstatSync(file).size / pageSize;
  if (newest.lastPage > pages + MOST_UNWRITTEN) throw new PageFault("is shorter than its meta pages say");
  return newest;
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  if (readSync(file, bytes, 0, length, position) < length) throw new PageFault("ends too early");
  return bytes;
}

class PageWalk {
  readonly #file: number;
  /** Whole pages that the file has. */
  readonly #pages: number;
  readonly #meta: Meta;
  /** A bit for each page that something leads to. */
  readonly #used: Uint8Array;
  readonly #apart: Apart[] = [];
  readonly #tables: Tree[] = [];
  readonly #free: number[] = [];
  #left = MOST_PAGES;
  #listedBytes = 0;

  constructor(file: number, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
    // After the meta pages: the file is at least as long as they say.
    this.#pages = Math.floor(fstatSync(file).size / meta.pageSize);
    this.#used = new Uint8Array(Math.floor(meta.lastPage / 8) + 1);
  }

  run(): void {
    const { free, main } = this.#meta;
    this.#walk([main], (_, node) => {
      const value = node.value();
      if ("tree" in value) {
        const name = node.key.toString("latin1").replace(/\0$/, "");
        this.#tables.push(readTree(`table ${name}`, value.tree, this.#meta.lastPage));
      } else this.#value(value);
    });
    this.#walk(this.#tables, (tree, node) => {
      const value = node.value();
      if ("tree" in value) throw new PageFault(`has a table inside the ${tree.name}`);
      this.#value(value);
    });
    this.#walk([free], (_, node) => {
      const value = node.value();
      if ("bytes" in value) this.#list(value.bytes);
      else if ("apart" in value) {
        this.#value(value);
        if (this.#listedBytes <= MOST_LISTED_BYTES) this.#list(this.#read(value));
      }
    });
    for (const value of this.#apart.slice(0, MOST_HEADS)) this.#checkApart(value);
    // Last, when all that is used is known. Free pages are overwritten by the next transactions.
    // They may lie behind the end: it is the next to use them that writes them.
    for (const page of this.#free) this.#mark(page, 1);
  }

  /** Level by level through all of the trees at once: when there are too many pages, the lowest are left out. */
  #walk(trees: readonly Tree[], leafNode: (tree: Tree, node: Node) => void): void {
    const counts = trees.map(() => ({ branches: 0, leaves: 0, entries: 0 }));
    let levels: readonly (readonly Step[])[] = trees.map(({ root }) =>
      root === undefined ? [] : [{ page: root, from: undefined, to: undefined }],
    );
    for (let level = 1; levels.some((steps) => steps.length > 0); level++) {
      if (levels.reduce((sum, steps) => sum + steps.length, 0) > this.#left) return;
      levels = levels.map((steps, index) => {
        const tree = trees[index];
        const count = counts[index];
        if (tree === undefined || count === undefined) return [];
        const next: Step[] = [];
        for (const step of [...steps].sort((a, b) => a.page - b.page)) {
          const leaf = level === tree.depth;
          const nodes = this.#page(tree, step, leaf);
          count[leaf ? "leaves" : "branches"] += 1;
          if (leaf) {
            count.entries += nodes.length;
            for (const node of nodes) leafNode(tree, node);
          } else next.push(...children(nodes, step));
        }
        return next;
      });
    }
    for (const [index, { branches, leaves, entries }] of counts.entries()) {
      const tree = trees[index];
      if (tree === undefined) continue;
      if (branches !== tree.branchPages || leaves !== tree.leafPages || entries !== tree.entries)
        throw new PageFault(`has lost a part of the ${tree.name}`);
    }
  }

  #page(tree: Tree, { page: number, from, to }: Step, leaf: boolean): Node[] {
    this.#left -= 1;
    this.#use(number, 1);
    const page = readAt(this.#file, number * this.#meta.pageSize, this.#meta.pageSize);
    const { count, transaction } = readHead(page, number, leaf ? LEAF : BRANCH);
    if (count < (leaf ? 1 : 2) || transaction > BigInt(this.#meta.transaction))
      throw new PageFault(`has a damaged page ${number}`);
    const nodes = Array.from({ length: count }, (_, index) => new Node(page, number, index));
    const byNumber = tree === this.#meta.free;
    let before = from;
    for (const [index, node] of nodes.entries()) {
      // The first key of a branch page is not written.
      if (!leaf && index === 0) continue;
      const { key } = node;
      const first = leaf && index === 0;
      const order = before === undefined ? 1 : compare(key, before, byNumber);
      if (key.length === 0 || order < 0 || (order === 0 && !first))
        throw new PageFault(`has keys in disorder on page ${number}`);
      before = key;
    }
    if (to !== undefined && before !== undefined && compare(before, to, byNumber) >= 0)
      throw new PageFault(`has keys in disorder on page ${number}`);
    return nodes;
  }

  #value(value: { readonly bytes: Buffer } | Apart): void {
    if (!("apart" in value)) return;
    const { apart, pages, length } = value;
    if (pages !== Math.floor((PAGE_HEADER - 1 + length) / this.#meta.pageSize) + 1)
      throw new PageFault(`has a value of the wrong length on page ${apart}`);
    this.#use(apart, pages);
    this.#apart.push(value);
  }

  #checkApart({ apart, pages, transaction }: Apart): void {
    const head = readHead(readAt(this.#file, apart * this.#meta.pageSize, PAGE_HEADER), apart, OVERFLOW);
    if (head.count !== pages || head.transaction !== transaction)
      throw new PageFault(`has a damaged page ${apart}`);
  }

  #read({ apart, length }: Apart): Buffer {
    return readAt(this.#file, apart * this.#meta.pageSize + PAGE_HEADER, length);
  }

  /** Free pages: how many numbers follow, then numbers of pages, or minus a length and the first page of so many; 0 is nothing. */
  #list(bytes: Buffer): void {
    this.#listedBytes += bytes.length;
    const wrong = () => new PageFault("has a damaged list of free pages");
    const count = bytes.length < 8 ? -1n : bytes.readBigInt64LE(0);
    if (count < 0n || (count + 1n) * 8n > BigInt(bytes.length)) throw wrong();
    for (let at = 8; at <= Number(count) * 8; at += 8) {
      const entry = bytes.readBigInt64LE(at);
      if (entry === 0n) continue;
      const length = entry < 0n ? -entry : 1n;
      if (entry < 0n) at += 8;
      if (length > BigInt(this.#meta.lastPage) || at > Number(count) * 8) throw wrong();
      const first = Number(bytes.readBigInt64LE(at));
      for (let page = 0; page < Number(length); page++) this.#free.push(first + page);
    }
  }

  /** Marks pages that hold something: reading them behind the end of the file would end the process. */
  #use(first: number, count: number): void {
    if (first + count > this.#pages) throw new PageFault(`ends before page ${first + count - 1}`);
    this.#mark(first, count);
  }

  /** Throws where one cannot be a page of the file or is marked already. */
  #mark(first: number, count: number): void {
    if (first < META_PAGES || count < 1 || first + count - 1 > this.#meta.lastPage)
      throw new PageFault(`names a page ${first} that it does not have`);
    for (let page = first; page < first + count; page++) {
      const bit = 1 << (page & 7);
      const byte = this.#used[page >> 3] ?? 0;
      if ((byte & bit) !== 0) throw new PageFault(`uses page ${page} twice`);
      this.#used[page >> 3] = byte | bit;
    }
  }
}

function children(nodes: readonly Node[], { from, to }: Step): Step[] {
  return nodes.map((node, index) => {
    const next = nodes[index + 1];
    return { page: node.child, from: index === 0 ? from : node.key, to: next === undefined ? to : next.key };
  });
}

function compare(a: Buffer, b: Buffer, byNumber: boolean): number {
  if (!byNumber) return a.compare(b);
  if (a.length !== 8 || b.length !== 8) throw new PageFault("has a damaged list of free pages");
  const [left, right] = [a.readBigUInt64LE(0), b.readBigUInt64LE(0)];
  return left < right ? -1 : left > right ? 1 : 0;
}
