import type { SlackApi } from "./api.js";
import type { Window } from "./book.js";
import type { Channel } from "./channels.js";
import type { SlackOptions } from "./config.js";
import { readLedger } from "./cursor.js";
import type { Item, Step } from "./descent.js";
import { fingerprint, type Ledger } from "./ledger.js";
import { isWanted, recordOf } from "./messages.js";
import { type Micros, microsOf } from "./moment.js";
import type { WorkContext } from "./reconcile.js";
import { goneMessage } from "./shape.js";
import {
  decodeThreads,
  encodeThread,
  encodeThreads,
  hasReplies,
  type ThreadPage,
  type ThreadState,
  type Threads,
  threadPages,
  threadPrint,
  UNREAD,
} from "./thread.js";
import type { WindowWork } from "./windows.js";

/** Threads whose first pages are asked for at a time. Slack tolerates bursts; more would only be refused. */
const AT_ONCE = 4;

export interface ReplyContext extends WorkContext {
  readonly api: SlackApi;
  readonly options: SlackOptions;
  /** Replies before are not handed out: the flow's start. Parents may be older. */
  readonly from: Micros | null;
  /** Nor are those from here on: the end of a backfill. */
  readonly to: Micros | null;
  readonly signal: AbortSignal;
}

/** A thread to read. */
interface Task {
  readonly ts: string;
  /** Of the parent as this window shows it. */
  readonly print: number;
  readonly known: Ledger;
}

/**
 * Replies of the threads of one window of parents. A late reply never shows in the channel's history: only its parent tells of it
 * (`reply_count`, `latest_reply`). So the window is one of parents, it reaches back by `rescan`, and a thread is read when its
 * parent tells another thing than the ledger, or is gone. The ledger holds for every parent what it told, and the replies that
 * were handed out; a thread is compared reply by reply.
 *
 * While a thread of several pages is read the ledger's entry moves along with each page, marked as unread: a kill has the
 * thread read again from its beginning, and what was handed out of it is known.
 *
 * Replies are taken whatever their ts, newer ones than the window as well: were they left for later, the parent would tell
 * the same then.
 */
export class ReplyWork implements WindowWork {
  readonly #context: ReplyContext;
  readonly #channel: Channel;
  readonly #window: Window;
  /** Of earlier windows, and not settled yet. */
  readonly #known: Threads;
  #fresh: string;
  #freshSize: number;
  #oldest: Micros;
  #full: boolean;
  /** Parents from here on are settled; null: all of the window. */
  #place: Micros | null;

  constructor(context: ReplyContext, channel: Channel, window: Window) {
    this.#context = context;
    this.#channel = channel;
    this.#window = window;
    const { stream } = context.book;
    this.#known = readLedger(decodeThreads, window.known, stream);
    for (const ts of this.#known.keys()) {
      const at = microsOf(ts) ?? 0;
      if (at >= window.at || at < (window.from ?? 0)) this.#known.delete(ts);
    }
    const fresh = readLedger(decodeThreads, window.fresh, stream);
    this.#fresh = window.fresh;
    this.#freshSize = [...fresh.values()].reduce((sum, { replies }) => sum + 1 + replies.size, 0);
    this.#oldest = microsOf([...fresh.keys()].at(-1)) ?? window.to;
    this.#full = window.full;
    this.#place = window.at;
  }

  async *take(step: Step): AsyncGenerator<undefined> {
    const { book, batch, channel, api, options, signal } = this.#context;
    const tasks = this.#tasks(step);
    const pages = (task: Task) => threadPages(api, channel, task.ts, options.pageSize, signal);
    const started: {
      readonly task: Task;
      readonly pages: AsyncGenerator<ThreadPage>;
      readonly first: Promise<IteratorResult<ThreadPage>>;
    }[] = [];
    let next = 0;
    try {
      for (;;) {
        while (next < tasks.length && started.length < (api.quota.isSmall ? 1 : AT_ONCE)) {
          const task = tasks[next++];
          if (task === undefined) break;
          if (task.print !== UNREAD && this.#isSettled(task)) {
            // Keeps its place in the row: the ledger is written newest first.
            started.push({
              task,
              pages: nothing(),
              first: Promise.resolve({ done: true, value: undefined }),
            });
            continue;
          }
          const thread = pages(task);
          const first = thread.next();
          // Whoever waits for it gets its failure.
          first.catch(() => undefined);
          started.push({ task, pages: thread, first });
        }
        const current = started.shift();
        if (current === undefined) break;
        const { task } = current;
        let result = await current.first;
        if (result.done) this.#keep(task.ts, { print: task.print, replies: task.known });
        const at = microsOf(task.ts) ?? step.low;
        const seen: Ledger = new Map();
        while (!result.done) {
          const page: ThreadPage = result.value;
          batch.count(page.bytes);
          this.#compare(task, page, seen);
          if (page.last) {
            this.#keep(task.ts, { print: this.#isCut(page) ? UNREAD : task.print, replies: seen });
          } else {
            this.#known.set(task.ts, { print: UNREAD, replies: new Map([...task.known, ...seen]) });
            // The parent itself comes again.
            this.#place = at + 1;
          }
          yield undefined;
          result = await current.pages.next();
        }
      }
    } finally {
      // Not waited for: the abort that follows ends what they are in.
      for (const { pages: thread } of started) thread.return(undefined).catch(() => undefined);
    }
    this.#place = step.last ? null : step.low;
    if (step.last) {
      book.finish(channel, this.#window, { fresh: this.#fresh, full: this.#full, oldest: this.#oldest });
    }
    yield undefined;
  }

  save(): void {
    if (this.#place === null) return;
    const { book, channel } = this.#context;
    const ledger = { fresh: this.#fresh, full: this.#full };
    book.progress(channel, this.#window, this.#place, ledger, encodeThreads(this.#known));
  }

  /** Threads that this step shows or misses, newest parent first. */
  #tasks(step: Step): Task[] {
    const low = step.truncated && step.last ? (step.items.at(-1)?.at ?? this.#window.to) : step.low;
    const tasks: Task[] = [];
    const shown = new Set<string>();
    for (const { key, raw } of step.items) {
      const known = this.#known.get(key)?.replies;
      if (!hasReplies(raw) && known === undefined) continue;
      shown.add(key);
      tasks.push({ ts: key, print: threadPrint(raw), known: known ?? new Map() });
    }
    for (const [ts, { replies }] of this.#known) {
      if ((microsOf(ts) ?? 0) < low) break;
      // The parent is gone. What is left of the thread the thread itself tells.
      if (!shown.has(ts)) tasks.push({ ts, print: UNREAD, known: replies });
    }
    return tasks.sort((a, b) => (microsOf(b.ts) ?? 0) - (microsOf(a.ts) ?? 0));
  }

  /** The parent tells what it told when the thread was read last. */
  #isSettled({ ts, print }: Task): boolean {
    return this.#context.options.replies === "changed" && this.#known.get(ts)?.print === print;
  }

  /** Hands out what of a page is new or changed, and what of the stretch it covers is gone. `seen` gathers its ledger. */
  #compare(task: Task, page: ThreadPage, seen: Ledger): void {
    const { batch, options } = this.#context;
    const { to } = this.#window;
    for (const item of page.replies) {
      if (!this.#isInside(item)) continue;
      const before = task.known.get(item.key);
      const print = fingerprint(item.raw);
      task.known.delete(item.key);
      if (!isWanted(item, options)) continue;
      seen.set(item.key, print);
      if (before === print) continue;
      const record = recordOf(item, before === undefined ? null : to, this.#channel);
      if (item.refused === undefined) batch.add(record);
      else batch.addRefused(record, item.refused);
    }
    const high = page.last ? Number.POSITIVE_INFINITY : (page.replies.at(-1)?.at ?? 0);
    for (const ts of task.known.keys()) {
      if ((microsOf(ts) ?? 0) > high) continue;
      task.known.delete(ts);
      batch.add(goneMessage(ts, to, this.#channel, task.ts));
    }
  }

  #isInside({ at }: Item): boolean {
    const { from, to } = this.#context;
    return (from === null || at >= from) && (to === null || at < to);
  }

  /** Some replies were left to a later window, which must look at this thread again. */
  #isCut(page: ThreadPage): boolean {
    const { to } = this.#context;
    return to !== null && page.replies.some(({ at }) => at >= to);
  }

  /** A thread is settled: its ledger moves from what was known to what is. */
  #keep(ts: string, state: ThreadState): void {
    this.#known.delete(ts);
    const at = microsOf(ts) ?? 0;
    this.#place = at;
    const { remember } = this.#window;
    if (
      remember === null ||
      at < remember ||
      this.#full ||
      (state.replies.size === 0 && state.print === UNREAD)
    )
      return;
    if (this.#freshSize >= this.#context.book.perChannel) {
      this.#full = true;
      this.#context.log.warn(
        `changes are found in the newest threads of ${this.#channel.name ?? this.#channel.id} only: it has more replies within options.rescan`,
        { channel: this.#channel.id },
      );
      return;
    }
    this.#fresh += `${this.#fresh === "" ? "" : ";"}${encodeThread(ts, state)}`;
    this.#freshSize += 1 + state.replies.size;
    this.#oldest = at;
  }
}

async function* nothing(): AsyncGenerator<ThreadPage> {}
