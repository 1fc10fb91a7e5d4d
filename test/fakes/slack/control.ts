import { type Answer, type FakeRequest, jsonAnswer, rawAnswer } from "./answer.js";
import { parseFaultScript } from "./fault-script.js";
import type { SlackFake } from "./server.js";
import type { Item } from "./workspace.js";

/**
 * `/__fake/...`: how tests and demos in other processes steer a running fake. Not part of Slack: no token, no limits, no faults.
 *
 *   POST   post    {channel, message}              -> {ts}
 *   POST   insert  {channel, message with ts}      a message that was committed late
 *   POST   edit    {channel, ts, text}   POST react {channel, ts, name}   POST delete {channel, ts}
 *   POST   change  {channel, count, seed?}         -> {ts: [...]}   edits that many messages
 *   POST   reply   {channel, count, seed?}         -> {ts: [...]}   late replies to existing threads
 *   POST   leave   {channel}                       POST close-cursors   POST expire-tokens   POST revoke
 *   GET    messages[?channel=C1]                   -> NDJSON of every message and reply there is, with channel_id
 *   PUT    faults  a fault script                  DELETE faults
 *   PUT    limits  {mode: none | tiers | unlisted}
 *   GET    requests  -> counters                   DELETE requests
 *   GET    environment                             -> the SLACK_... variables
 */
export function control(fake: SlackFake, request: FakeRequest): Answer {
  const action = `${request.method} ${request.path.slice("/__fake/".length)}`;
  try {
    if (action === "GET messages") return contents(fake, request.query.get("channel"));
    return jsonAnswer(200, perform(fake, action, bodyOf(request)));
  } catch (error) {
    return jsonAnswer(400, { error: error instanceof Error ? error.message : String(error) });
  }
}

function perform(fake: SlackFake, action: string, body: Item): object {
  const { workspace } = fake;
  const channel = () => text(body, "channel");
  const message = (): Item =>
    typeof body.message === "object" && body.message !== null ? { ...body.message } : {};
  switch (action) {
    case "POST post":
      return { ts: workspace.post(channel(), message()) };
    case "POST insert":
      workspace.insert(channel(), { ...message(), ts: text(message(), "ts") });
      return {};
    case "POST edit":
      workspace.edit(channel(), text(body, "ts"), text(body, "text"));
      return {};
    case "POST react":
      workspace.react(channel(), text(body, "ts"), text(body, "name"));
      return {};
    case "POST delete":
      workspace.delete(channel(), text(body, "ts"));
      return {};
    case "POST change":
      return { ts: workspace.editSome(channel(), number(body, "count", 1), number(body, "seed", 1)) };
    case "POST reply":
      return { ts: workspace.replySome(channel(), number(body, "count", 1), number(body, "seed", 1)) };
    case "POST leave":
      workspace.leave(channel());
      return {};
    case "POST close-cursors":
      fake.closeCursors();
      return {};
    case "POST expire-tokens":
      fake.oauth.expireAll();
      return {};
    case "POST revoke":
      fake.oauth.revoke();
      return {};
    case "PUT faults":
      fake.faults.set(parseFaultScript(body));
      return {};
    case "DELETE faults":
      fake.faults.clear();
      return {};
    case "PUT limits": {
      const mode = text(body, "mode");
      if (mode !== "none" && mode !== "tiers" && mode !== "unlisted")
        throw new Error("mode is none, tiers or unlisted");
      fake.limits.mode = mode;
      return {};
    }
    case "GET requests":
      return { ...fake.requests, faults: fake.faults.struck };
    case "DELETE requests":
      fake.requests.reset();
      return {};
    case "GET environment":
      return fake.environment();
    default:
      throw new Error(`no such control: ${action}`);
  }
}

function contents({ workspace }: SlackFake, only: string | null): Answer {
  const lines: string[] = [];
  for (const channel of workspace.channels.values()) {
    if (only !== null && channel.id !== only) continue;
    const shown = channel.messages.map((message) => workspace.shown(channel, message));
    const replies = [...channel.threads.values()].flatMap((list) => list.map(({ item }) => item));
    for (const item of [...shown, ...replies.filter(({ subtype }) => subtype !== "thread_broadcast")]) {
      lines.push(`${JSON.stringify({ channel_id: channel.id, ...item })}\n`);
    }
  }
  return rawAnswer(200, lines.join(""), { "content-type": "application/x-ndjson" });
}

function bodyOf(request: FakeRequest): Item {
  if (request.body.length === 0) return {};
  const value: unknown = JSON.parse(request.body.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("the body must be an object");
  return { ...value };
}

function text(body: Item, key: string): string {
  const value = body[key];
  if (typeof value !== "string") throw new Error(`${key} must be text`);
  return value;
}

function number(body: Item, key: string, otherwise: number): number {
  const value = body[key] ?? otherwise;
  if (typeof value !== "number") throw new Error(`${key} must be a number`);
  return value;
}
