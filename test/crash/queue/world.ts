import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "../../../core/contracts/index.js";
import { seededRandom } from "../../seeded-random.js";
import { Consumer } from "./consumer.js";
import { Ledger } from "./ledger.js";
import { Producer } from "./producer.js";
import { CUT, Served } from "./served.js";

export interface QueueCrashReport {
  readonly kills: number;
  readonly sent: number;
  readonly delivered: number;
  readonly deleted: number;
  readonly dead: number;
  /** What went wrong, each with the story of its message. */
  readonly findings: readonly string[];
}

/** A queue and its dead-letter queue. */
interface Pair {
  readonly name: string;
  readonly dead: string;
  readonly fifo: boolean;
  readonly ledger: Ledger;
}

const TIMEOUT_S = 1;
const MAX_RECEIVES = 3;
const PRODUCERS = 2;
const CONSUMERS = 3;
const GROUPS_A_PRODUCER = 12;
const MOST_OPEN = 1_000;
/** A kill falls this long after the server listens; every eighth while it still starts. */
const KILL_FROM_MS = 50;
const KILL_TO_MS = 450;
const START_SHARE = 1 / 8;
const START_MS = 350;
/** How long emptying the queues may take at the end: the timeouts of what a cut receive took run out first. */
const DRAIN_MS = 60_000;

/** One data directory under load, through any number of kills. */
export class QueueCrashWorld {
  readonly #dir = mkdtempSync(join(tmpdir(), "sluice-crash-queue-"));
  readonly #dataDir = join(this.#dir, "data");
  readonly #seed: number;
  readonly #random: Random;
  readonly #served: Served;
  readonly #pairs: readonly Pair[];
  readonly #findings: string[] = [];
  #sending = true;
  #receiving = true;

  constructor(seed: number) {
    mkdirSync(this.#dataDir);
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#served = new Served(this.#dataDir);
    const pair = (name: string, dead: string, fifo: boolean): Pair => ({
      name,
      dead,
      fifo,
      ledger: new Ledger(() => this.#served.kills),
    });
    this.#pairs = [pair("work", "work-dead", false), pair("order.fifo", "order-dead.fifo", true)];
  }

  /** Kills the server so often under load, then empties the queues and compares. `onKill` hears of each. */
  async run(kills: number, onKill: (done: number) => void = () => {}): Promise<void> {
    try {
      await this.#createQueues();
      const clients = this.#pairs.flatMap((pair) => this.#clients(pair));
      let over = false;
      const killing = this.#kill(kills, onKill, () => over);
      const failed = Promise.all(clients);
      await Promise.race([killing, failed]);
      this.#sending = false;
      const emptied = await Promise.race([this.#drained(), failed.then(() => false)]);
      over = true;
      this.#receiving = false;
      await failed;
      await this.#served.stop();
      if (emptied) for (const { ledger } of this.#pairs) ledger.settle();
      await this.#checkLeftovers();
    } catch (error) {
      this.#findings.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      this.#sending = false;
      this.#receiving = false;
      await this.#served.kill().catch(() => {});
    }
  }

  report(): QueueCrashReport {
    const sum = (count: (ledger: Ledger) => number) =>
      this.#pairs.reduce((total, { ledger }) => total + count(ledger), 0);
    return {
      kills: this.#served.kills,
      sent: sum((ledger) => ledger.sends),
      delivered: sum((ledger) => ledger.deliveries),
      deleted: sum((ledger) => ledger.deletes),
      dead: sum((ledger) => ledger.deaths),
      findings: [...this.#findings, ...this.#pairs.flatMap(({ ledger }) => ledger.findings)],
    };
  }

  /** Keeps the folder when something was found, and in it what, so that it can be looked at. */
  close(): string | undefined {
    const { findings } = this.report();
    if (findings.length > 0) {
      writeFileSync(join(this.#dir, "findings.txt"), `${findings.join("\n\n")}\n`);
      return `${this.#dir} (seed ${this.#seed})`;
    }
    rmSync(this.#dir, { recursive: true, force: true });
    return undefined;
  }

  async #createQueues(): Promise<void> {
    for (const { name, dead, fifo } of this.#pairs) {
      const common = { VisibilityTimeout: String(TIMEOUT_S), ...(fifo && { FifoQueue: "true" }) };
      await this.#served.call("CreateQueue", { QueueName: dead, Attributes: common });
      const RedrivePolicy = JSON.stringify({
        deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${dead}`,
        maxReceiveCount: MAX_RECEIVES,
      });
      const Attributes = { ...common, RedrivePolicy, MaximumMessageSize: "1048576" };
      await this.#served.call("CreateQueue", { QueueName: name, Attributes });
    }
  }

  #clients({ name, dead, fifo, ledger }: Pair): Promise<void>[] {
    const common = { served: this.#served, ledger };
    const producers = Array.from({ length: PRODUCERS }, (_, index) => {
      const own = `${fifo ? "f" : "s"}${index}`;
      const groups = fifo ? Array.from({ length: GROUPS_A_PRODUCER }, (_, group) => `${own}g${group}`) : [];
      const random = this.#branch();
      return new Producer({
        ...common,
        name: own,
        queueUrl: urlOf(name),
        groups,
        random,
        mostAhead: MOST_OPEN,
      });
    });
    const consumers = [name, dead].flatMap((queue) =>
      Array.from({ length: queue === name ? CONSUMERS : 1 }, () => {
        const from = queue === name ? "queue" : "dead";
        const random = this.#branch();
        return new Consumer({
          ...common,
          queueUrl: urlOf(queue),
          from,
          fifo,
          timeoutMs: TIMEOUT_S * 1_000,
          random,
        });
      }),
    );
    return [
      ...producers.map((producer) => producer.run(() => this.#sending)),
      ...consumers.map((consumer) =>
        consumer.run(
          () => this.#receiving,
          () => this.#sending,
        ),
      ),
    ];
  }

  async #kill(kills: number, onKill: (done: number) => void, over: () => boolean): Promise<void> {
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    for (let done = 0; done < kills && !over(); done++) {
      if (this.#random.next() < START_SHARE) await wait(this.#random.next() * START_MS);
      else {
        await this.#served.listening();
        await wait(KILL_FROM_MS + this.#random.next() * (KILL_TO_MS - KILL_FROM_MS));
      }
      await this.#served.kill();
      onKill(done + 1);
    }
  }

  /** Receivers delete whatever they get by now. True when nothing is left in any queue; false when something was found before. */
  async #drained(): Promise<boolean> {
    const end = Date.now() + DRAIN_MS;
    const queues = this.#pairs.flatMap(({ name, dead }) => [name, dead]);
    for (;;) {
      const depths = await Promise.all(queues.map((queue) => this.#depth(queue)));
      if (depths.every((depth) => depth === 0)) return true;
      if (this.report().findings.length > 0) return false;
      if (Date.now() > end)
        throw new Error(`the queues do not get empty: ${queues.map((queue, i) => `${queue} ${depths[i]}`)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #depth(queue: string): Promise<number> {
    const AttributeNames = [
      "ApproximateNumberOfMessages",
      "ApproximateNumberOfMessagesNotVisible",
      "ApproximateNumberOfMessagesDelayed",
    ];
    const answer = await this.#served.call("GetQueueAttributes", { QueueUrl: urlOf(queue), AttributeNames });
    if (answer === CUT) return Number.NaN;
    return Object.values(answer.Attributes ?? {}).reduce((sum, count) => sum + Number(count), 0);
  }

  /** No claim check outlives its message, once a server has swept what the killed ones left. */
  async #checkLeftovers(): Promise<void> {
    const last = new Served(this.#dataDir);
    await last.listening();
    await last.stop();
    const blobs = readdirSync(join(this.#dataDir, "blobs"));
    if (blobs.length > 0) this.#findings.push(`claim checks without a message are left: ${blobs.join(", ")}`);
  }

  /** Randomness of its own for each client: how they interleave does not change what each of them draws. */
  #branch(): Random {
    return seededRandom(Math.floor(this.#random.next() * 2 ** 32));
  }
}

function urlOf(queue: string): string {
  return `http://127.0.0.1/000000000000/${queue}`;
}
