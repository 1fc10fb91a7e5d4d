import { createHash } from "node:crypto";
import type {
  AlarmState,
  Checkpoint,
  Lease,
  LoadState,
  RunState,
  Store,
  StoreTx,
  Value,
} from "../contracts/index.js";
import type { KeyRange, Table, Tables } from "../queue/index.js";

/**
 *   checkpoints    flow                    -> Checkpoint
 *   runs           flow | run              -> RunState
 *   run-order      run | flow              -> nothing: all runs by start
 *   run-active     flow | run              -> nothing: those recorded as running
 *   loads          flow | id               -> LoadState
 *   leases         name                    -> Lease
 *   alarms         id                      -> AlarmState
 *   seen           flow | record           -> version
 *   seen-order     flow | version | record -> nothing: what forgetBelow walks
 *   values         name                    -> Value
 */
interface RecordTables {
  readonly checkpoints: Table<Checkpoint>;
  readonly runs: Table<RunState>;
  readonly runOrder: Table<Buffer>;
  readonly runActive: Table<Buffer>;
  readonly loads: Table<LoadState>;
  readonly leases: Table<Lease>;
  readonly alarms: Table<AlarmState>;
  readonly seen: Table<string>;
  readonly seenOrder: Table<Buffer>;
  readonly values: Table<Value>;
}

const MARK = Buffer.from([1]);
const MOST_LOADS = 100_000;
const MOST_RUNS = 100_000;
const MOST_ALARMS = 100_000;
/** Rows forgotten at once; the walk goes on until nothing is left. */
const PIECE = 1_000;

/** The store on any Tables. Reads outside a transaction see the newest commit of any process. */
export class Records implements Store {
  readonly #tables: Tables;
  readonly #records: RecordTables;
  /** The store as a transaction sees and changes it. */
  readonly inTransaction: StoreTx;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#records = {
      checkpoints: tables.json("checkpoints"),
      runs: tables.json("runs"),
      runOrder: tables.bytes("run-order"),
      runActive: tables.bytes("run-active"),
      loads: tables.json("loads"),
      leases: tables.json("leases"),
      alarms: tables.json("alarms"),
      seen: tables.json("seen"),
      seenOrder: tables.bytes("seen-order"),
      values: tables.json("values"),
    };
    this.inTransaction = transactionOver(this.#records);
  }

  checkpoint(flow: string): Checkpoint | undefined {
    return this.#tables.read(() => this.inTransaction.checkpoint(flow));
  }

  run(flow: string, run: string): RunState | undefined {
    return this.#tables.read(() => this.inTransaction.run(flow, run));
  }

  runs({ flow, limit }: { readonly flow?: string; readonly limit: number }): RunState[] {
    const { runs, runOrder } = this.#records;
    return this.#tables.read(() => {
      if (flow !== undefined)
        return runs.entries({ ...below(flow), limit, reverse: true }).map(({ value }) => value);
      const newest = runOrder.keys({ ...everything, limit, reverse: true });
      return newest.flatMap((entry) => {
        const [run = "", owner = ""] = partsOf(entry);
        return runs.get(key(owner, run)) ?? [];
      });
    });
  }

  unfinishedRuns(flow: string): RunState[] {
    const { runs, runActive } = this.#records;
    return this.#tables.read(() =>
      runActive.keys({ ...below(flow), limit: MOST_RUNS }).flatMap((entry) => runs.get(entry) ?? []),
    );
  }

  openLoads(flow: string): LoadState[] {
    return this.#tables.read(() =>
      this.#records.loads.entries({ ...below(flow), limit: MOST_LOADS }).map(({ value }) => value),
    );
  }

  lease(name: string): Lease | undefined {
    return this.#tables.read(() => this.inTransaction.lease(name));
  }

  alarms(): AlarmState[] {
    return this.#tables.read(() => this.inTransaction.alarms());
  }

  get(name: string): Value | undefined {
    return this.#tables.read(() => this.inTransaction.get(name));
  }
}

function transactionOver(records: RecordTables): StoreTx {
  const { checkpoints, runs, runOrder, runActive, loads, leases, alarms, seen, seenOrder, values } = records;
  return {
    checkpoint: (flow) => checkpoints.get(key(flow)),
    putCheckpoint: (checkpoint) => checkpoints.put(key(checkpoint.flow), checkpoint),
    deleteCheckpoint: (flow) => void checkpoints.remove(key(flow)),

    run: (flow, run) => runs.get(key(flow, run)),
    putRun: (state) => {
      const own = key(state.flow, state.run);
      runs.put(own, state);
      runOrder.put(key(state.run, state.flow), MARK);
      if (state.status === "running") runActive.put(own, MARK);
      else runActive.remove(own);
    },

    putLoad: (load) => loads.put(key(load.flow, load.id), load),
    openLoad: (flow, id) => loads.get(key(flow, id)),
    deleteLoad: (flow, id) => void loads.remove(key(flow, id)),

    seen: (flow, record) => seen.get(key(flow, record)),
    remember: (flow, record, version) => {
      const own = key(flow, record);
      const before = seen.get(own);
      if (before === version) return;
      if (before !== undefined) seenOrder.remove(key(flow, before, record));
      seen.put(own, version);
      seenOrder.put(key(flow, version, record), MARK);
    },
    forgetBelow: (flow, version) => {
      for (;;) {
        const old = seenOrder.keys({ from: below(flow).from, to: key(flow, version), limit: PIECE });
        for (const entry of old) {
          seenOrder.remove(entry);
          const [, , record = ""] = partsOf(entry);
          seen.remove(key(flow, record));
        }
        if (old.length < PIECE) return;
      }
    },

    lease: (name) => leases.get(key(name)),
    putLease: (lease) => leases.put(key(lease.name), lease),
    deleteLease: (name) => void leases.remove(key(name)),

    alarms: () => alarms.entries({ ...everything, limit: MOST_ALARMS }).map(({ value }) => value),
    putAlarm: (alarm) => alarms.put(key(alarm.id), alarm),
    deleteAlarm: (id) => void alarms.remove(key(id)),

    get: (name) => values.get(key(name)),
    put: (name, value) => values.put(key(name), value),
    delete: (name) => void values.remove(key(name)),
  };
}

/** LMDB keys are at most 1978 bytes; three parts of this and their ends fit. */
const LONGEST_PART_BYTES = 480;
const DIGEST_CHARACTERS = 64;

/**
 * Parts of text as one key that sorts by the first part, then the second: each part is UTF-8 with 00 written as 00 ff
 * and ended by 00 00. A part too long for a key keeps its beginning, by which it still sorts, and a SHA-256 of the whole.
 */
export function key(...parts: readonly string[]): Buffer {
  return Buffer.concat(parts.flatMap((part) => [escaped(shortened(part)), END]));
}

const END = Buffer.from([0, 0]);
const ESCAPED_ZERO = Buffer.from([0, 0xff]);

function shortened(part: string): string {
  if (Buffer.byteLength(part) <= LONGEST_PART_BYTES) return part;
  const digest = createHash("sha256").update(part).digest("hex");
  const start = Buffer.from(part).subarray(0, LONGEST_PART_BYTES - DIGEST_CHARACTERS);
  return start.toString("utf8").replace(/\ufffd+$/, "") + digest;
}

function escaped(part: string): Buffer {
  const bytes = Buffer.from(part);
  if (!bytes.includes(0)) return bytes;
  const pieces: Buffer[] = [];
  for (const byte of bytes) pieces.push(byte === 0 ? ESCAPED_ZERO : Buffer.from([byte]));
  return Buffer.concat(pieces);
}

/** The parts of a key, as `key` shortened them; giving them to `key` again makes the same key. */
function partsOf(entry: Buffer): string[] {
  const parts: string[] = [];
  let bytes: number[] = [];
  for (let i = 0; i < entry.length; i++) {
    const byte = entry[i] ?? 0;
    if (byte !== 0) bytes.push(byte);
    else {
      i += 1;
      if (entry[i] === 0xff) bytes.push(0);
      else {
        parts.push(Buffer.from(bytes).toString("utf8"));
        bytes = [];
      }
    }
  }
  return parts;
}

/** All keys whose first part is `first`. */
function below(first: string): Pick<KeyRange, "from" | "to"> {
  const from = key(first);
  return { from, to: Buffer.concat([from, Buffer.from([0xff])]) };
}

const everything: Pick<KeyRange, "from" | "to"> = { from: Buffer.from([0]), to: Buffer.from([0xff]) };
