import {
  type ConnectorContext,
  type Page,
  type ReadRequest,
  type SourceRecord,
  throwIfCancelled,
  type Value,
} from "../../core/contracts/index.js";
import { listOf, objectOf, type SlackApi } from "./api.js";
import { Batch } from "./batch.js";
import { emptyWindow } from "./book.js";
import { channelArguments, LIST_PAGE, listPages } from "./channels.js";
import { inOrder } from "./concurrently.js";
import type { SlackConfig, SlackOptions } from "./config.js";
import { micros, parseListCursor, readLedger, tsOrNull } from "./cursor.js";
import { unexpected } from "./errors.js";
import { decodeIds, encodeIds, fingerprint, isId, type Ledger } from "./ledger.js";
import { isoOf, type Micros, microsOfMs, tsOf } from "./moment.js";
import { channelRecord, goneItem, teamRecord, usergroupRecord, userRecord } from "./shape.js";

/** What reading needs of its connection. */
export interface ReadContext {
  readonly api: SlackApi;
  readonly config: SlackConfig;
  readonly context: Pick<ConnectorContext, "clock" | "log">;
}

export type ListName = "team" | "users" | "usergroups" | "channels";

interface Listed {
  readonly items: readonly SourceRecord[];
  readonly refused: ReturnType<Parameters<typeof listOf>[0]["refused"]>;
  readonly place: string;
  readonly bytes: number;
}

const RECORD: Readonly<Record<ListName, (item: SourceRecord) => SourceRecord>> = {
  team: teamRecord,
  users: userRecord,
  usergroups: usergroupRecord,
  channels: channelRecord,
};

/**
 * Streams that Slack only lists whole: every run lists them, and hands out what is new or changed since the last one (known by a
 * fingerprint: `updated` does not move with everything) and what is no longer listed, with the delete marker. Full reads hand out all.
 */
export async function* readList(
  read: ReadContext,
  stream: ListName,
  request: ReadRequest,
  options: SlackOptions,
): AsyncGenerator<Page> {
  const { clock } = read.context;
  const state = openList(request, microsOfMs(clock.now()));
  const batch = new Batch(clock, () => Math.min(LIST_PAGE, options.pageSize));
  if (!state.isNothing) {
    const abort = new AbortController();
    const signal = AbortSignal.any([request.signal, abort.signal]);
    for await (const page of inOrder([pagesOf(read, stream, options, signal)], 1, abort)) {
      throwIfCancelled(request.signal);
      batch.count(page.bytes);
      for (const item of page.items) take(stream, state, batch, page, item);
      if (batch.isDue) yield batch.take(state.cursor(false), state.window);
    }
    for (const id of state.known.keys()) {
      if (!state.fresh.has(id)) batch.add(goneItem(id, state.to));
    }
  }
  throwIfCancelled(request.signal);
  yield batch.take(state.cursor(true), state.window);
}

function take(stream: ListName, state: ListState, batch: Batch, page: Listed, item: SourceRecord): void {
  if (!isId(item.id)) throw unexpected(page.place, "holds an item without id");
  // Listed twice while it was moved, or handed out before a crash.
  if (state.fresh.has(item.id)) return;
  const record = RECORD[stream](item);
  if (!state.isInside(record)) return;
  const print = fingerprint(item);
  state.fresh.set(item.id, print);
  if (state.known.get(item.id) === print) return;
  const why = page.refused.get(item);
  if (why === undefined) batch.add(record);
  else batch.addRefused(record, why);
}

async function* pagesOf(
  { api, config }: ReadContext,
  stream: ListName,
  options: SlackOptions,
  signal: AbortSignal,
): AsyncGenerator<Listed> {
  const team_id = config.teamId;
  if (stream === "team") {
    const answer = await api.call("team.info", { team: team_id }, signal);
    yield {
      items: [objectOf(answer, "team")],
      refused: answer.refused("team"),
      place: answer.place,
      bytes: answer.bytes,
    };
    return;
  }
  if (stream === "usergroups") {
    const answer = await api.call(
      "usergroups.list",
      { include_users: "true", include_disabled: "true", include_count: "true", team_id },
      signal,
    );
    const items = listOf(answer, "usergroups");
    yield { items, refused: answer.refused("usergroups"), place: answer.place, bytes: answer.bytes };
    return;
  }
  const method = stream === "users" ? "users.list" : "conversations.list";
  const list = stream === "users" ? "members" : "channels";
  // users.list without a limit fails on large workspaces.
  const args =
    stream === "users"
      ? { limit: String(Math.min(LIST_PAGE, options.pageSize)), include_locale: "true", team_id }
      : channelArguments(options, team_id);
  for await (const { items, answer } of listPages(api, method, list, args, signal)) {
    yield { items, refused: answer.refused(list), place: answer.place, bytes: answer.bytes };
  }
}

interface ListState {
  /** What the last finished read handed out, and what this one has. */
  readonly known: Ledger;
  readonly fresh: Ledger;
  readonly to: Micros;
  readonly isNothing: boolean;
  readonly window: Page["window"];
  isInside(record: SourceRecord): boolean;
  cursor(done: boolean): Value;
}

function openList(request: ReadRequest, now: Micros): ListState {
  const { stream, cursorField, from } = request;
  const mode = cursorField === undefined ? "full" : "incremental";
  const before = request.cursor === undefined ? undefined : parseListCursor(request.cursor, stream, mode);
  const start = from === undefined ? null : microsOfMs(from);
  const end = request.to === undefined ? now : Math.min(now, microsOfMs(request.to));
  if (before === undefined && start !== null && start >= end) throw emptyWindow(start, end);
  const isNothing =
    before?.done === true && (mode === "full" ? request.resumes === true : end <= micros(before.to));
  const begins = before === undefined || (before.done && !isNothing);
  const keeps = mode === "incremental" || !begins ? (before?.known ?? "") : "";
  const known = readLedger(decodeIds, keeps, stream);
  const fresh = readLedger(decodeIds, begins ? "" : (before?.fresh ?? ""), stream);
  const to = begins
    ? Math.max(end, before === undefined || mode === "full" ? 0 : micros(before.to))
    : micros(before.to);
  const since =
    before === undefined || mode === "full"
      ? start
      : begins
        ? micros(before.to)
        : before.from === null
          ? null
          : micros(before.from);
  const bounds = {
    from: start === null || cursorField === undefined ? undefined : isoOf(start),
    to: request.to === undefined || cursorField === undefined ? undefined : isoOf(microsOfMs(request.to)),
  };
  return {
    known,
    fresh,
    to,
    isNothing,
    window: { from: since === null ? null : isoOf(since), to: isoOf(to) },
    isInside: (record) => {
      const at = cursorField === undefined ? undefined : record[cursorField];
      if (typeof at !== "string") return true;
      return (bounds.from === undefined || at >= bounds.from) && (bounds.to === undefined || at < bounds.to);
    },
    cursor: (done) => ({
      stream,
      mode,
      from: tsOrNull(since),
      to: tsOf(to),
      done,
      known: isNothing ? (before?.known ?? "") : done ? encodeIds(fresh) : encodeIds(known),
      fresh: done ? null : encodeIds(fresh),
    }),
  };
}
