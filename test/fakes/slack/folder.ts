import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseTs } from "./ts.js";
import { type FakeClock, type Item, Workspace } from "./workspace.js";

/*
 * A workspace from a folder of NDJSON files, one object per line, as the API sends them; all but channels may be missing:
 *
 *   team.ndjson        one line
 *   users.ndjson  usergroups.ndjson  channels.ndjson  files.ndjson
 *   messages.ndjson    with `channel` or `channel_id`; replies are those whose thread_ts is not their ts
 *   members.ndjson     {"channel_id": ..., "user_id": ...}
 *
 * Of channels `is_member: false` says that our token is no member.
 */

export async function readWorkspaceFolder(folder: string, clock: FakeClock): Promise<Workspace> {
  if (!existsSync(join(folder, "channels.ndjson"))) throw new Error(`${folder} holds no channels.ndjson`);
  const [team] = await all(folder, "team");
  const workspace = team === undefined ? new Workspace(clock) : new Workspace(clock, team);
  for await (const { id, item } of identified(folder, "channels")) {
    workspace.addChannel({ ...item, id }, [], item.is_member !== false);
  }
  for await (const { id, item } of identified(folder, "users")) workspace.users.set(id, item);
  for await (const { id, item } of identified(folder, "usergroups")) workspace.usergroups.set(id, item);
  for await (const { id, item } of identified(folder, "files")) workspace.files.set(id, item);
  for await (const { line, item } of lines(folder, "members")) {
    const { channel_id, user_id } = item;
    if (typeof channel_id !== "string" || typeof user_id !== "string")
      throw bad("members", line, "channel_id and user_id");
    workspace.channel(channel_id).members.push(user_id);
  }
  for await (const { line, item } of lines(folder, "messages")) {
    const { channel, channel_id = channel, ts, ...message } = item;
    if (typeof channel_id !== "string" || typeof ts !== "string" || parseTs(ts) === undefined)
      throw bad("messages", line, "channel and ts");
    // What a parent tells of its thread follows from the replies that are there.
    for (const derived of ["reply_count", "reply_users", "reply_users_count", "latest_reply"])
      delete message[derived];
    workspace.insert(channel_id, { ...message, ts });
  }
  return workspace;
}

async function* identified(
  folder: string,
  name: string,
): AsyncGenerator<{ readonly id: string; readonly item: Item }> {
  for await (const { line, item } of lines(folder, name)) {
    if (typeof item.id !== "string") throw bad(name, line, "an id");
    yield { id: item.id, item };
  }
}

async function all(folder: string, name: string): Promise<Item[]> {
  const found: Item[] = [];
  for await (const { item } of lines(folder, name)) found.push(item);
  return found;
}

async function* lines(
  folder: string,
  name: string,
): AsyncGenerator<{ readonly line: number; readonly item: Item }> {
  const path = join(folder, `${name}.ndjson`);
  if (!existsSync(path)) return;
  let line = 0;
  for await (const text of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    line++;
    if (text.trim() === "") continue;
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw bad(name, line, "an object");
    yield { line, item: { ...value } };
  }
}

function bad(name: string, line: number, what: string): Error {
  return new Error(`${name}.ndjson line ${line} has not ${what}`);
}
