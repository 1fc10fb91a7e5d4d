import { type Log, type Page, type ReadRequest, throwIfCancelled } from "../../core/contracts/index.js";
import { Batch } from "./batch.js";
import { Book } from "./book.js";
import { chooseChannels } from "./channels.js";
import { readOptions, type SlackOptions } from "./config.js";
import { descendHistory } from "./descent.js";
import { EXTRA } from "./fields.js";
import { descendFiles, fileWork, WHOLE_WORKSPACE } from "./files.js";
import { type ReadContext, readList } from "./lists.js";
import { readMembers } from "./members.js";
import { messageWork } from "./messages.js";
import { type Micros, microsOfMs } from "./moment.js";
import { ReplyWork } from "./replies.js";
import { streamOf } from "./streams.js";
import { readWindows, type WindowRead } from "./windows.js";

/** The pages of a read; cursor.ts tells where it stands between them. */
export async function* readStream(read: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  const named = new Set<string>();
  for await (const page of pagesOf(read, request)) {
    nameUnknown(page, named, request.stream, read.context.log);
    yield page;
  }
}

/** Tells of fields that the stream does not declare, each once; all of them are in `extra`. */
function nameUnknown({ records }: Page, named: Set<string>, stream: string, log: Log): void {
  const found: string[] = [];
  for (const { [EXTRA]: extra } of records) {
    if (typeof extra !== "object" || extra === null) continue;
    for (const name of Object.keys(extra)) {
      if (named.has(name)) continue;
      named.add(name);
      found.push(name);
    }
  }
  if (found.length > 0) {
    log.warn(`${stream} has fields that are not columns: ${found.join(", ")}; they are kept in ${EXTRA}`, {
      stream,
    });
  }
}

async function* pagesOf(read: ReadContext, request: ReadRequest): AsyncGenerator<Page> {
  throwIfCancelled(request.signal);
  const options = readOptions(request.options);
  const stream = streamOf(request.stream);
  switch (stream) {
    case "team":
    case "users":
    case "usergroups":
    case "channels":
      return yield* readList(read, stream, request, options);
    case "channel_members":
      return yield* readMembers(read, request, options);
    case "files":
      return yield* readWindows(filesRead(read, request, options));
    case "messages":
    case "thread_replies":
      return yield* readConversations(read, request, options);
  }
}

async function* readConversations(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
): AsyncGenerator<Page> {
  const { api, config, context } = read;
  const { log } = context;
  // Looked at first, for its channels alone; the frozen end is taken when the workspace's clock is known.
  const known = bookOf(read, request, options).channels;
  const channels = await chooseChannels(api, options, config.teamId, known, log, request.signal);
  const book = bookOf(read, request, options);
  book.share(channels.length);
  const batch = new Batch(context.clock, () => api.quota.effectiveSize(options.pageSize));
  const shared = {
    book,
    batch,
    channels,
    log,
    signal: request.signal,
    descend: (
      channel: { readonly id: string },
      range: Parameters<typeof descendHistory>[2],
      signal: AbortSignal,
    ) => descendHistory(api, channel.id, range, options.pageSize, signal),
  };
  if (request.stream === "messages") {
    yield* readWindows({
      ...shared,
      work: (channel, window) =>
        messageWork({ book, batch, log, channel: channel.id }, channel, window, options),
    });
    return;
  }
  const bounds = { from: instant(request.from), to: instant(request.to) };
  yield* readWindows({
    ...shared,
    work: (channel, window, signal) =>
      new ReplyWork(
        { book, batch, log, channel: channel.id, api, options, ...bounds, signal },
        channel,
        window,
      ),
  });
}

function filesRead(read: ReadContext, request: ReadRequest, options: SlackOptions): WindowRead {
  const { api, config, context } = read;
  const { log } = context;
  const book = bookOf(read, request, options);
  book.share(1);
  const batch = new Batch(context.clock, () => options.pageSize);
  return {
    book,
    batch,
    log,
    signal: request.signal,
    channels: [WHOLE_WORKSPACE],
    descend: (_channel, range, signal) => descendFiles(api, config.teamId, range, options.pageSize, signal),
    work: (_channel, window) => fileWork({ book, batch, log, channel: WHOLE_WORKSPACE.id }, window),
  };
}

/** Where a windowed stream stands, and what of it is to be read now. */
export function bookOf({ api, context }: ReadContext, request: ReadRequest, options: SlackOptions): Book {
  const overlapMs = Math.max(options.rescan, request.lookbackMs);
  // With our clock ahead of Slack's a window would end in its future, and messages of that stretch would be missed.
  const nowMs = context.clock.now() - api.behindMs - options.settle;
  // Parents may be older than the replies that are wanted.
  const leadMs = request.stream === "thread_replies" ? overlapMs : 0;
  return new Book(request, wholeSecond(request.stream, microsOfMs(nowMs)), overlapMs, leadMs);
}

/** files.list counts in seconds. */
function wholeSecond(stream: string, at: Micros): Micros {
  return stream === "files" ? Math.floor(at / 1_000_000) * 1_000_000 : at;
}

function instant(ms: number | undefined): Micros | null {
  return ms === undefined ? null : microsOfMs(ms);
}
