/**
 * The layout of LMDB's data file (64 bits, little endian, data version 2, as lmdb-js 3 writes it: mdb.c, MDB_meta,
 * MDB_page, MDB_node, MDB_db, MDB_ovpage). All numbers are offsets and lengths in bytes.
 */
export const PAGE_HEADER = 24;
export const META_PAGES = 2;
const NODE_HEADER = 8;
const TREE_BYTES = 48;
const OVERFLOW_BYTES = 24;

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_FLAG = 0x08;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Beyond this LMDB could not map the file. */
const MOST_MAPPED = 2n ** 47n;
/** lmdb-js's limit for pages of 4096 bytes and the depth LMDB's cursors can hold. */
const LONGEST_KEY = 1978;
const DEEPEST_TREE = 32;

export const BRANCH = 0x01;
export const LEAF = 0x02;
export const OVERFLOW = 0x04;
/** How a tree compares its keys; that of the free pages only. */
const INTEGER_KEYS = 0x08;

const VALUE_APART = 0x01;
const VALUE_IS_TREE = 0x02;

/** What is wrong, said of a page. */
export class PageFault extends Error {}

function fault(what: string): never {
  throw new PageFault(what);
}

/** One of LMDB's trees as its parent describes it; `root` is undefined for an empty one. */
export interface Tree {
  readonly name: string;
  readonly root: number | undefined;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly entries: number;
}

export interface Meta {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  /** The pages that may be used again, by transaction. */
  readonly free: Tree;
  /** The tables, by name. */
  readonly main: Tree;
}

/** The size of pages that the first meta page claims; throws PageFault for one that cannot be. */
export function pageSizeOf(head: Buffer): number {
  if (head.readUInt32LE(PAGE_HEADER) !== MAGIC) fault("is not an LMDB file");
  const size = head.readUInt32LE(48);
  const known = size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
  return known ? size : fault("has a damaged first page");
}

/** A meta page; `number` is 0 or 1, and transaction N writes number N % 2. */
export function readMeta(page: Buffer, number: number): Meta {
  const wrong = () => fault(`has a damaged meta page ${number}`);
  const transaction = page.readBigUInt64LE(152);
  const lastPage = page.readBigUInt64LE(144);
  const mapped = page.readBigUInt64LE(40);
  const pageSize = page.readUInt32LE(48);
  if (page.readBigUInt64LE(0) !== BigInt(number) || (page.readUInt16LE(18) & META_FLAG) === 0) wrong();
  if (page.readUInt32LE(24) !== MAGIC || page.readUInt32LE(28) !== DATA_VERSION) wrong();
  if (page.readBigUInt64LE(32) !== 0n || mapped > MOST_MAPPED) wrong();
  if ((lastPage + 1n) * BigInt(pageSize) > MOST_MAPPED || lastPage < 1n) wrong();
  if (transaction !== 0n && transaction % 2n !== BigInt(number)) wrong();
  const most = Number(lastPage);
  return {
    pageSize,
    transaction: Number(transaction),
    lastPage: most,
    // Its flags are the environment's as well: another bit there has LMDB read the file as if it were of another kind.
    free: readTree("list of free pages", page.subarray(48, 48 + TREE_BYTES), most, INTEGER_KEYS),
    main: readTree("list of tables", page.subarray(96, 96 + TREE_BYTES), most),
  };
}

/**
 * MDB_db. A tree cannot have more pages than the file, nor a depth without a root. `kind`: the flags it was made with,
 * which are none for the tables of Sluice.
 */
export function readTree(name: string, bytes: Buffer, lastPage: number, kind = 0): Tree {
  const wrong = () => fault(`has a damaged root of the ${name}`);
  const root = bytes.readBigUInt64LE(40);
  const numbers = [8, 16, 24].map((at) => bytes.readBigUInt64LE(at));
  const entries = bytes.readBigUInt64LE(32);
  const depth = bytes.readUInt16LE(6);
  if (bytes.readUInt16LE(4) !== kind) wrong();
  if (numbers.some((pages) => pages > BigInt(lastPage)) || entries > MOST_MAPPED) wrong();
  if (depth > DEEPEST_TREE || (root === NO_PAGE) !== (depth === 0)) wrong();
  if (root !== NO_PAGE && (root < BigInt(META_PAGES) || root > BigInt(lastPage))) wrong();
  const [branchPages = 0n, leafPages = 0n] = numbers;
  return {
    name,
    root: root === NO_PAGE ? undefined : Number(root),
    depth,
    branchPages: Number(branchPages),
    leafPages: Number(leafPages),
    entries: Number(entries),
  };
}

export interface PageHead {
  readonly flags: number;
  readonly transaction: bigint;
  /** Branch and leaf pages: how many nodes. Overflow pages: how many pages. */
  readonly count: number;
}

/** Throws PageFault where the page does not say that it is page `number` of this kind. */
export function readHead(page: Buffer, number: number, kind: number): PageHead {
  // The marks of a transaction at work (P_LOOSE, P_KEEP) keep a page from being written: none has them on disk.
  const flags = page.readUInt16LE(18);
  if (page.readBigUInt64LE(0) !== BigInt(number) || flags !== kind) fault(`has a damaged page ${number}`);
  const transaction = page.readBigUInt64LE(8);
  if (kind === OVERFLOW) return { flags, transaction, count: page.readUInt32LE(20) };
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  if (lower % 2 !== 0 || lower > upper || upper > page.length - PAGE_HEADER)
    fault(`has a damaged page ${number}`);
  return { flags, transaction, count: lower / 2 };
}

/** The n-th node of a page: where it lies, checked against the page's end. */
export class Node {
  readonly #page: Buffer;
  readonly #at: number;
  readonly #number: number;
  readonly keyLength: number;

  constructor(page: Buffer, number: number, index: number) {
    this.#page = page;
    this.#number = number;
    const pointer = page.readUInt16LE(PAGE_HEADER + 2 * index);
    this.#at = PAGE_HEADER + pointer;
    if (pointer < page.readUInt16LE(22) || this.#at + NODE_HEADER > page.length) this.#wrong();
    this.keyLength = page.readUInt16LE(this.#at + 6);
    if (this.keyLength > LONGEST_KEY || this.#value > page.length) this.#wrong();
  }

  /** A view of the page. */
  get key(): Buffer {
    return this.#page.subarray(this.#at + NODE_HEADER, this.#value);
  }

  /** Of a branch page. */
  get child(): number {
    return this.#page.readUInt32LE(this.#at) + this.#page.readUInt16LE(this.#at + 4) * 2 ** 32;
  }

  /** Of a leaf page: the value, the root of a tree, or the pages it lies on. */
  value(): { readonly bytes: Buffer } | { readonly tree: Buffer } | Apart {
    const flags = this.#page.readUInt16LE(this.#at + 4);
    const length = this.#page.readUInt32LE(this.#at);
    if (flags === VALUE_APART) {
      const place = this.#bytes(OVERFLOW_BYTES);
      return {
        apart: Number(place.readBigUInt64LE(0)),
        pages: Number(place.readBigUInt64LE(16)),
        transaction: place.readBigUInt64LE(8),
        length,
      };
    }
    if (flags === VALUE_IS_TREE) return { tree: this.#bytes(length === TREE_BYTES ? length : this.#wrong()) };
    return flags === 0 ? { bytes: this.#bytes(length) } : this.#wrong();
  }

  get #value(): number {
    return this.#at + NODE_HEADER + this.keyLength;
  }

  #bytes(length: number): Buffer {
    const end = this.#value + length;
    return end <= this.#page.length ? this.#page.subarray(this.#value, end) : this.#wrong();
  }

  #wrong(): never {
    return fault(`has a damaged page ${this.#number}`);
  }
}

/** A value on pages of its own. */
export interface Apart {
  readonly apart: number;
  readonly pages: number;
  readonly transaction: bigint;
  readonly length: number;
}
