import type { MessageAttributes, SendEntry } from "../contracts/index.js";

/** Buffers of one message's size, used again after their transaction: a page costs no new memory. */
export class BodyPool {
  readonly #size: number;
  readonly #free: Buffer[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }

  give(buffers: readonly Buffer[]): void {
    for (const buffer of buffers) if (this.#free.length < 32) this.#free.push(buffer);
  }

  get size(): number {
    return this.#size;
  }
}

/**
 * Packs NDJSON lines into message bodies of at most the pool's size, in order. Lines are written straight into the
 * body's bytes: no joined string, no second copy.
 */
export class Packer {
  readonly #pool: BodyPool;
  readonly #attributes: (firstSequence: number) => MessageAttributes;
  readonly #entries: { entry: SendEntry; copies?: readonly SendEntry["body"][] }[] = [];
  readonly #used: Buffer[] = [];
  #body: Buffer | undefined;
  #offset = 0;
  #records = 0;
  #first = 0;

  constructor(pool: BodyPool, attributes: (firstSequence: number) => MessageAttributes) {
    this.#pool = pool;
    this.#attributes = attributes;
  }

  /** False: the line is larger than a message; call `addLarge` with its staged copies. */
  add(line: string, sequence: number): boolean {
    const room = this.#pool.size - this.#offset;
    if (this.#body === undefined || line.length * 3 + 1 > room) {
      const bytes = Buffer.byteLength(line) + 1;
      if (bytes > this.#pool.size) return false;
      if (this.#body === undefined || bytes > room) {
        this.#close();
        this.#body = this.#pool.take();
        this.#used.push(this.#body);
      }
    }
    if (this.#records === 0) this.#first = sequence;
    this.#offset += this.#body.write(line, this.#offset);
    this.#body[this.#offset++] = 0x0a;
    this.#records++;
    return true;
  }

  /** A record set aside by claim check: one staged copy for each queue that takes these messages. */
  addLarge(copies: readonly SendEntry["body"][], sequence: number): void {
    this.#close();
    const [first] = copies;
    if (first === undefined) return;
    this.#entries.push({
      entry: { body: first, records: 1, attributes: this.#attributes(sequence) },
      copies,
    });
  }

  /** The messages for the nth queue that takes them, in order. */
  entriesFor(nth: number): SendEntry[] {
    this.#close();
    return this.#entries.map(({ entry, copies }) => ({ ...entry, body: copies?.[nth] ?? entry.body }));
  }

  /** Bodies to give back to the pool once the messages are stored. */
  get buffers(): readonly Buffer[] {
    return this.#used;
  }

  #close(): void {
    if (this.#body === undefined || this.#records === 0) return;
    this.#entries.push({
      entry: {
        body: this.#body.subarray(0, this.#offset),
        records: this.#records,
        attributes: this.#attributes(this.#first),
      },
    });
    this.#body = undefined;
    this.#offset = 0;
    this.#records = 0;
  }
}
