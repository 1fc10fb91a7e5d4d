import { ConfigError, InvariantError } from "../contracts/index.js";
import type { Table, Tables } from "../queue/index.js";

export interface Access {
  readonly readOnly: boolean;
  readonly sync: "commit" | "none";
}

interface Shared {
  readonly tables: Tables;
  readonly access: Access;
  users: number;
}

/** By folder. */
const open = new Map<string, Shared>();

/**
 * Tables over a folder that this process may have open already. LMDB does not allow one process to open a file twice:
 * its second opening would wait for the first one's write lock on the very thread that has to give it back. So all
 * openings of a folder share one; the last to close closes it.
 */
export function shareTables(folder: string, access: Access, make: () => Tables): Tables {
  const shared = open.get(folder) ?? { tables: make(), access, users: 0 };
  if (shared.access.sync !== access.sync || (shared.access.readOnly && !access.readOnly))
    throw new InvariantError(
      "DATA_DIR_OPEN_OTHERWISE",
      `this process has ${folder} open with other options; close that first`,
    );
  open.set(folder, shared);
  shared.users += 1;
  return new TablesUser(folder, shared, access.readOnly);
}

class TablesUser implements Tables {
  readonly #folder: string;
  readonly #shared: Shared;
  readonly #readOnly: boolean;
  #closing: Promise<void> | undefined;
  readonly #running = new Set<Promise<unknown>>();

  constructor(folder: string, shared: Shared, readOnly: boolean) {
    this.#folder = folder;
    this.#shared = shared;
    this.#readOnly = readOnly;
  }

  get cache(): Tables["cache"] {
    return this.#shared.tables.cache;
  }

  json<V>(name: string): Table<V> {
    return this.#shared.tables.json(name);
  }

  bytes(name: string): Table<Buffer> {
    return this.#shared.tables.bytes(name);
  }

  read<T>(work: () => T): T {
    if (this.#closing) throw closedBefore();
    return this.#shared.tables.read(work);
  }

  transaction<T>(work: () => T): Promise<T> {
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    const running = this.#shared.tables.transaction(work);
    this.#running.add(running);
    const over = () => void this.#running.delete(running);
    running.then(over, over);
    return running;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.#shared.users -= 1;
    if (this.#shared.users > 0) return;
    open.delete(this.#folder);
    await this.#shared.tables.close();
  }

  /** Why nothing may be written. */
  #refusal(): Error | undefined {
    if (this.#closing) return closedBefore();
    if (!this.#readOnly) return undefined;
    return new ConfigError("DATA_DIR_READ_ONLY", "The data directory was opened for reading only.", {
      place: this.#folder,
      fix: "Open it for writing.",
    });
  }
}

function closedBefore(): InvariantError {
  return new InvariantError("ENVIRONMENT_CLOSED", "the environment was closed before");
}
