import {
  type Clock,
  type Environment,
  InvariantError,
  type QueuesTx,
  type Random,
  type Store,
  type StoreTx,
} from "../contracts/index.js";
import { type BlobShelf, StoredQueues, type Tables } from "../queue/index.js";
import { Records } from "./records.js";

/** Queues and store over the same Tables: what is written in one transaction is there as a whole or not at all. */
export class StoredEnvironment implements Environment {
  readonly #tables: Tables;
  readonly #queues: StoredQueues;
  readonly #records: Records;
  readonly #onClose: () => void;
  #closing: Promise<void> | undefined;

  constructor(
    tables: Tables,
    blobs: BlobShelf,
    options: { readonly clock: Clock; readonly random: Random; readonly onClose?: () => void },
  ) {
    this.#tables = tables;
    this.#queues = new StoredQueues(tables, blobs, options);
    this.#records = new Records(tables);
    this.#onClose = options.onClose ?? (() => {});
  }

  get queues(): StoredQueues {
    return this.#queues;
  }

  get store(): Store {
    return this.#records;
  }

  transaction<T>(work: (tx: { readonly queues: QueuesTx; readonly store: StoreTx }) => T): Promise<T> {
    return this.#queues.transact((effects) => {
      const result = work({
        queues: this.#queues.inTransaction(effects),
        store: this.#records.inTransaction,
      });
      // What an async function does after its first await would not be part of the transaction.
      if (result instanceof Promise)
        throw new InvariantError("ASYNC_TRANSACTION", "the work of a transaction must be synchronous");
      return result;
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queues.close();
    await this.#tables.close();
    this.#onClose();
  }
}
