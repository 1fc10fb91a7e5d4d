import { invariant, type StagedBody } from "../contracts/index.js";
import type { DeadLetter } from "./deadletters.js";
import { updateRun, updateSink } from "./history.js";
import { deadLetterQueue } from "./names.js";
import { Pace } from "./pace.js";
import { Packer } from "./pack.js";
import { commit, type Session } from "./session.js";

/** A dead letter on its way back into the queues of its flow's sinks. */
export interface Returning {
  readonly letter: DeadLetter;
  /** Line for each sink queue; empty where the flow filters the record today. */
  readonly lines: ReadonlyMap<string, string>;
  readonly filtered: boolean;
  /** Columns of the lines, by their id. */
  readonly schema: string;
}

/** Letters of one transaction at most, and characters of their lines: bounds of memory, and of how long it locks. */
const LETTERS = 500;
const CHARACTERS = 4_000_000;
/** At a given rate letters leave in so many transactions a second at least. */
const STEPS_PER_SECOND = 5;

/**
 * Dead letters that leave their queue together: each is deleted there in the transaction that puts its lines into the
 * sink queues and counts it. One that another tool took in the meantime is left out, alone.
 */
export class ReturningBatch {
  readonly #session: Session;
  readonly #pace: Pace | undefined;
  readonly #most: number;
  #letters: Returning[] = [];
  #characters = 0;

  constructor(session: Session, perSecond: number | undefined) {
    this.#session = session;
    this.#pace = perSecond === undefined ? undefined : new Pace(session.host.clock, perSecond);
    this.#most =
      perSecond === undefined ? LETTERS : Math.min(LETTERS, Math.ceil(perSecond / STEPS_PER_SECOND));
  }

  add(letter: Returning): void {
    this.#letters.push(letter);
    for (const line of letter.lines.values()) this.#characters += line.length;
  }

  get isFull(): boolean {
    return this.#letters.length >= this.#most || this.#characters >= CHARACTERS;
  }

  /** Resolves to the letters that have left their queue, durably; empties the batch. */
  async send(): Promise<readonly Returning[]> {
    const letters = this.#letters;
    this.#letters = [];
    this.#characters = 0;
    if (letters.length === 0) return [];
    await this.#wait(letters.length);
    const staged = await this.#stageLarge(letters);
    const moved = await this.#commit(letters, staged);
    this.#session.meter.fetched += moved.length;
    await this.#discard(staged, letters, moved);
    return moved;
  }

  async #wait(count: number): Promise<void> {
    const ms = this.#pace?.take(count) ?? 0;
    if (this.#pace === undefined || ms === 0) return;
    const { host, meter, signal } = this.#session;
    meter.waiting({ reason: `at most ${this.#pace.perSecond} records a second`, ms });
    await host.clock.sleep(ms, signal);
  }

  /** The claim check: lines larger than a message go aside, before the transaction that refers to them. */
  async #stageLarge(letters: readonly Returning[]): Promise<ReadonlyMap<Returning, Map<string, StagedBody>>> {
    const { pool, host } = this.#session;
    const staged = new Map<Returning, Map<string, StagedBody>>();
    for (const letter of letters) {
      for (const [queue, line] of letter.lines) {
        if (line.length * 3 + 1 <= pool.size || Buffer.byteLength(line) + 1 <= pool.size) continue;
        const own = staged.get(letter) ?? new Map<string, StagedBody>();
        staged.set(letter, own.set(queue, await host.environment.queues.stage(`${line}\n`)));
      }
    }
    return staged;
  }

  async #commit(
    letters: readonly Returning[],
    staged: ReadonlyMap<Returning, ReadonlyMap<string, StagedBody>>,
  ): Promise<readonly Returning[]> {
    const { flow, run, pool } = this.#session;
    const used: Buffer[] = [];
    const moved = await commit(this.#session, ({ queues, store }) => {
      const dead = deadLetterQueue(flow.name);
      // One by one: another tool may have taken some of them.
      const present = letters.filter(({ letter }) => queues.deleteById(dead, [letter.messageId]) === 1);
      if (present.length === 0) return present;
      for (const [queue, packers] of this.#pack(present, staged)) {
        for (const packer of packers.values()) {
          queues.send(queue, packer.entriesFor(0));
          used.push(...packer.buffers);
        }
      }
      updateRun(store, flow.name, run, (state) => {
        const filtered = present.filter((letter) => letter.filtered).length;
        const { records } = state;
        const counted = {
          ...state,
          records: {
            ...records,
            fetched: records.fetched + present.length,
            filtered: records.filtered + filtered,
          },
        };
        return state.sinks.reduce(
          (next, { queue }) =>
            updateSink(next, queue, (sink) => {
              const sent = present.filter(({ lines }) => lines.has(queue)).length;
              // A letter for one sink counts as loaded at the others, which have its record already.
              const elsewhere = present.length - filtered - sent;
              return {
                ...sink,
                sent: sink.sent + sent + elsewhere,
                records: sink.records + elsewhere,
              };
            }),
          counted,
        );
      });
      return present;
    });
    pool.give(used);
    return moved;
  }

  /** Messages for each queue, one packer for each set of columns: what is in one message goes into one load. */
  #pack(
    letters: readonly Returning[],
    staged: ReadonlyMap<Returning, ReadonlyMap<string, StagedBody>>,
  ): ReadonlyMap<string, ReadonlyMap<string, Packer>> {
    const { flow, run, generation, pool } = this.#session;
    const byQueue = new Map<string, Map<string, Packer>>();
    for (const letter of letters) {
      for (const [queue, line] of letter.lines) {
        const packers = byQueue.get(queue) ?? new Map<string, Packer>();
        byQueue.set(queue, packers);
        const { schema } = letter;
        const attributes = { flow: flow.name, run, generation, schema, op: "redrive" };
        const packer = packers.get(schema) ?? new Packer(pool, () => attributes);
        packers.set(schema, packer);
        const large = staged.get(letter)?.get(queue);
        if (large !== undefined) packer.addLarge([large], 0);
        else
          invariant(packer.add(line, 0), "LINE_NOT_STAGED", `a line for ${queue} is longer than a message`);
      }
    }
    return byQueue;
  }

  async #discard(
    staged: ReadonlyMap<Returning, ReadonlyMap<string, StagedBody>>,
    letters: readonly Returning[],
    moved: readonly Returning[],
  ): Promise<void> {
    if (staged.size === 0 || moved.length === letters.length) return;
    const sent = new Set(moved);
    for (const [letter, bodies] of staged) {
      if (sent.has(letter)) continue;
      for (const body of bodies.values()) await this.#session.host.environment.queues.discard(body);
    }
  }
}
