import {
  type Page,
  type ReadRequest,
  type SourceRecord,
  TransientError,
  throwIfCancelled,
} from "../../core/contracts/index.js";
import type { SlackApi } from "./api.js";
import { Batch } from "./batch.js";
import { type Channel, chooseChannels } from "./channels.js";
import { inOrder } from "./concurrently.js";
import type { SlackOptions } from "./config.js";
import { type MemberCursor, parseMemberCursor, readLedger } from "./cursor.js";
import { INVALID_CURSOR, isOfOneChannel, repeatedPage, unexpected } from "./errors.js";
import { decodeIds, encodeIds, isId, type Ledger } from "./ledger.js";
import type { ReadContext } from "./lists.js";

/** Channels whose first pages are asked for at a time: most have one page. */
const CHANNELS_AT_ONCE = 4;
/** Chains lost in one channel before it is given up. */
const MOST_RESTARTS = 5;

interface MemberPage {
  readonly ids: readonly string[];
  readonly last: boolean;
  readonly bytes: number;
}

interface Sight extends MemberPage {
  readonly channel: Channel;
}

/**
 * Members of every channel, one record each. Slack tells nobody when someone left, so it is read in full, best into a sink that
 * replaces. A read that was interrupted goes on with the channel it was in, and passes over the members it has handed out.
 */
export async function* readMembers(
  read: ReadContext,
  request: ReadRequest,
  options: SlackOptions,
): AsyncGenerator<Page> {
  const { api, config, context } = read;
  const cursor = usable(request);
  const batch = new Batch(context.clock, () => options.pageSize);
  if (cursor?.done === true) {
    yield batch.take({ ...cursor }, undefined);
    return;
  }
  const chosen = await chooseChannels(api, options, config.teamId, new Set(), context.log, request.signal);
  let after = cursor?.after ?? null;
  const channels = chosen.filter(({ id }) => after === null || id > after);
  const place = (open: MemberCursor["open"], done: boolean) => ({
    stream: "channel_members",
    after,
    open,
    done,
  });
  const abort = new AbortController();
  const signal = AbortSignal.any([request.signal, abort.signal]);
  let current: { readonly id: string; readonly seen: Ledger } | undefined;
  const scans = eachOf(channels, (channel) => scan(read, channel, options, signal));
  for await (const { channel, ids, last, bytes } of inOrder(scans, CHANNELS_AT_ONCE, abort)) {
    throwIfCancelled(request.signal);
    if (current?.id !== channel.id) {
      const before = cursor?.open?.channel === channel.id ? cursor.open.fresh : "";
      current = { id: channel.id, seen: readLedger(decodeIds, before, "channel_members") };
    }
    const { seen } = current;
    batch.count(bytes);
    for (const id of ids) {
      if (seen.has(id)) continue;
      seen.set(id, 0);
      batch.add(memberRecord(channel, id));
    }
    if (last) after = channel.id;
    if (!batch.isDue) continue;
    yield batch.take(place(last ? null : { channel: channel.id, fresh: encodeIds(seen) }, false), undefined);
  }
  throwIfCancelled(request.signal);
  yield batch.take(place(null, true), undefined);
}

/** A finished full read is followed by another one, unless the engine missed its end. */
function usable(request: ReadRequest): MemberCursor | undefined {
  if (request.cursor === undefined) return undefined;
  const cursor = parseMemberCursor(request.cursor);
  return cursor.done && request.resumes !== true ? undefined : cursor;
}

function memberRecord({ id, name }: Channel, user: string): SourceRecord {
  return { channel_id: id, user_id: user, channel_name: name };
}

/** Begun one by one, as they are taken. */
function* eachOf<A, B>(items: readonly A[], begin: (item: A) => B): Generator<B> {
  for (const item of items) yield begin(item);
}

async function* scan(
  { api, context }: ReadContext,
  channel: Channel,
  options: SlackOptions,
  signal: AbortSignal,
): AsyncGenerator<Sight> {
  try {
    for await (const page of memberPages(api, channel.id, options.pageSize, signal)) {
      yield { channel, ...page };
    }
  } catch (error) {
    if (!isOfOneChannel(error)) throw error;
    context.log.warn(`channel ${channel.name ?? channel.id} is left out: ${error.message}`, {
      channel: channel.id,
      code: error.code,
    });
  }
}

/** Ids of the members of a channel. A chain that Slack has forgotten starts anew: the caller knows whom it has seen. */
async function* memberPages(
  api: SlackApi,
  channel: string,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<MemberPage> {
  let cursor: string | undefined;
  let first: string | undefined;
  for (let restarts = 0; ; ) {
    let page: MemberPage;
    let next: string | undefined;
    try {
      const answer = await api.call(
        "conversations.members",
        { channel, limit: String(pageSize), cursor },
        signal,
      );
      const ids: unknown = Reflect.get(answer.body, "members");
      if (!Array.isArray(ids) || !ids.every(isId)) throw unexpected(answer.place, "has no members");
      next = answer.nextCursor;
      if ((next !== undefined && next === cursor) || (ids[0] !== undefined && ids[0] === first)) {
        throw repeatedPage(answer.place);
      }
      first = ids[0] ?? first;
      page = { ids, last: next === undefined, bytes: answer.bytes };
    } catch (error) {
      const isLost = error instanceof TransientError && error.code === INVALID_CURSOR;
      if (!isLost || cursor === undefined || ++restarts > MOST_RESTARTS) throw error;
      cursor = undefined;
      first = undefined;
      continue;
    }
    yield page;
    if (next === undefined) return;
    cursor = next;
  }
}
