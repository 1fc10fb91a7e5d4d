import {
  ConfigError,
  type Log,
  type Page,
  type SluiceError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import { ahead } from "./ahead.js";
import type { Batch } from "./batch.js";
import type { Book, Window } from "./book.js";
import type { Channel } from "./channels.js";
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

/** A read of windows, channel by channel. */
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
      let current: { readonly window: Window; readonly work: WindowWork } | undefined;
      for await (const sight of ahead(scan(read, channels, inner), abort)) {
        throwIfCancelled(signal);
        const { channel, window, step } = sight;
        if (refused.has(channel.id)) continue;
        if (step === undefined) {
          // What of its window was handed out is not handed out again when the channel is back.
          if (current?.window === window) current.work.save();
          refuse(read, refused, channel, sight.error);
          continue;
        }
        reached.add(channel.id);
        if (current?.window !== window) current = { window, work: read.work(channel, window, inner) };
        batch.count(step.bytes);
        if (step.truncated && step.last) reportHidden(read, channel);
        try {
          for await (const _ of current.work.take(step)) {
            if (!batch.isDue) continue;
            current.work.save();
            yield batch.take(book.cursor(false), book.window);
          }
        } catch (error) {
          if (!isOfOneChannel(error)) throw error;
          current.work.save();
          refuse(read, refused, channel, error);
        }
      }
    }
  }
  throwIfCancelled(signal);
  if (reached.size === 0 && refused.size > 0) throw nothingReadable(refused);
  yield batch.take(book.cursor(true), book.window);
}

/** The pages of all channels one behind the other, so that the next channel's first page is fetched ahead as well. */
async function* scan(
  read: WindowRead,
  channels: readonly Channel[],
  signal: AbortSignal,
): AsyncGenerator<Sight> {
  for (const channel of channels) {
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
