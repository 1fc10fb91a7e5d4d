import {
  ConfigError,
  type Log,
  type Page,
  type SluiceError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { Batch } from "./batch.js";
import type { Book, Window } from "./book.js";
import type { Channel } from "./channels.js";
import { asTheyCome } from "./concurrently.js";
import type { Range, Step } from "./descent.js";
import { isOfOneChannel } from "./errors.js";

/** What becomes of the pages of one window. */
export interface WindowWork {
  /**
   * Puts what a step brings into the batch. Yields where a page may end. A window's last step ends with its place in the book.
   */
  take(step: Step): AsyncGenerator<undefined>;
  /** Writes the place of a window that is not finished into the book, as it is now: behind everything in the batch. */
  save(): void;
}

/** Channels that are read at the same time. Their calls share one limit: more would wait for it, each with a page in memory. */
const CHANNELS_AT_ONCE = 4;

/** A read of windows, several channels at a time. */
export interface WindowRead {
  readonly book: Book;
  readonly batch: Batch;
  readonly channels: readonly Channel[];
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly descend: (channel: Channel, range: Range, signal: AbortSignal) => AsyncGenerator<Step>;
  readonly work: (channel: Channel, window: Window, signal: AbortSignal) => WindowWork;
}

interface Sight {
  readonly channel: Channel;
  readonly window: Window;
  /** Undefined: the channel was refused, with this error. */
  readonly step: Step | undefined;
  readonly error?: SluiceError;
}

/**
 * Pages of all channels. A channel that is refused is left out and reported, and its bookmark stays; when every one is refused the
 * read fails, since an empty success would hide it. The last page says done and may be empty.
 */
export async function* readWindows(read: WindowRead): AsyncGenerator<Page> {
  const { book, batch, signal } = read;
  const underWay = new UnderWay(read.work);
  const refused = new Map<string, SluiceError>();
  const reached = new Set<string>();
  for (const end of book.ends) {
    book.freeze(end);
    // What an earlier run left open first: behind it the same channel may have another window.
    for (const which of ["open", "all"] as const) {
      const abort = new AbortController();
      const inner = AbortSignal.any([signal, abort.signal]);
      const channels = read.channels.filter(
        ({ id }) => !refused.has(id) && (which === "all" || book.isOpen(id)),
      );
      for await (const sight of asTheyCome(scans(read, channels, inner), abort)) {
        throwIfCancelled(signal);
        const { channel, window, step } = sight;
        if (refused.has(channel.id)) continue;
        if (step === undefined) {
          underWay.leave(channel);
          refuse(read, refused, channel, sight.error);
          continue;
        }
        reached.add(channel.id);
        batch.count(step.bytes);
        if (step.truncated && step.last) reportHidden(read, channel);
        try {
          for await (const _ of underWay.of(channel, window, inner).take(step)) {
            if (!batch.isDue) continue;
            underWay.save();
            yield batch.take(book.cursor(false), book.window);
          }
          if (step.last) underWay.leave(channel);
        } catch (error) {
          if (!isOfOneChannel(error)) throw error;
          underWay.leave(channel);
          refuse(read, refused, channel, error);
        }
      }
    }
  }
  throwIfCancelled(signal);
  if (reached.size === 0 && refused.size > 0) throw nothingReadable(refused);
  yield batch.take(book.cursor(true), book.window);
}

/** The windows that are being read. */
class UnderWay {
  readonly #begin: WindowRead["work"];
  readonly #works = new Map<string, WindowWork>();

  constructor(begin: WindowRead["work"]) {
    this.#begin = begin;
  }

  of(channel: Channel, window: Window, signal: AbortSignal): WindowWork {
    let work = this.#works.get(channel.id);
    if (work === undefined) {
      work = this.#begin(channel, window, signal);
      this.#works.set(channel.id, work);
    }
    return work;
  }

  /** Writes the places of all of them into the book: a batch holds records of several. */
  save(): void {
    for (const work of this.#works.values()) work.save();
  }

  /** A channel is done or refused: what of its window was handed out is not handed out again when it is back. */
  leave({ id }: Channel): void {
    this.#works.get(id)?.save();
    this.#works.delete(id);
  }
}

/** Readers that share the channels: whoever is through with one takes the next, and fetches its first page ahead as well. */
function scans(
  read: WindowRead,
  channels: readonly Channel[],
  signal: AbortSignal,
): readonly AsyncGenerator<Sight>[] {
  const waiting = channels.values();
  return Array.from({ length: Math.min(CHANNELS_AT_ONCE, channels.length) }, () =>
    scan(read, waiting, signal),
  );
}

async function* scan(
  read: WindowRead,
  channels: Iterator<Channel>,
  signal: AbortSignal,
): AsyncGenerator<Sight> {
  for (let next = channels.next(); !next.done; next = channels.next()) {
    const channel = next.value;
    const window = read.book.windowOf(channel);
    if (window === undefined) continue;
    try {
      for await (const step of read.descend(channel, { from: window.from, to: window.at }, signal)) {
        yield { channel, window, step };
      }
    } catch (error) {
      if (!isOfOneChannel(error)) throw error;
      yield { channel, window, step: undefined, error };
    }
  }
}

function refuse(
  read: WindowRead,
  refused: Map<string, SluiceError>,
  { id, name }: Channel,
  error: SluiceError | undefined,
): void {
  if (error === undefined) return;
  refused.set(id, error);
  read.log.warn(`channel ${name ?? id} is left out: ${error.message}`, {
    channel: id,
    code: error.code,
    fix: error.fix,
  });
}

function reportHidden({ log }: WindowRead, { id, name }: Channel): void {
  log.warn(`the history of channel ${name ?? id} is truncated: the workspace's plan hides older messages`, {
    channel: id,
  });
}

function nothingReadable(refused: ReadonlyMap<string, SluiceError>): ConfigError {
  const [first] = refused.values();
  const message = `none of the ${refused.size} channels can be read: ${first?.message ?? "refused"}`;
  return new ConfigError(first?.code ?? "SLACK_NO_CHANNELS", message, {
    place: "slack",
    fix: first?.fix ?? "Invite the app: /invite @app in the channels.",
    cause: first,
  });
}
