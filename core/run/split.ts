import {
  type LoadState,
  type Message,
  type RecordError,
  type SendEntry,
  textAttributes,
} from "../contracts/index.js";
import { deadLetter } from "./deadletter.js";
import type { Lane } from "./deliver.js";
import { updateRun, updateSink } from "./history.js";
import { deadLetterQueue } from "./names.js";
import { commit, type Session } from "./session.js";

/*
 * A sink refused a load because of its data and applied nothing of it. The load is halved until the record that is
 * refused stands alone; that one is dead-lettered with the sink's reason, all others are loaded. Every step is one
 * transaction that closes the parent and opens its children, so a crash in between resumes with the children.
 *
 *   messages > 1          -> two loads of half the messages each
 *   one message, n > 1    -> the message is replaced by two that hold half its records each
 *   one record            -> dead letter
 */

export interface OpenLoad {
  readonly state: LoadState;
  readonly messages: readonly Message[];
}

export async function splitLoad(
  session: Session,
  lane: Lane,
  state: LoadState,
  messages: readonly Message[],
  refusal: RecordError,
): Promise<OpenLoad[]> {
  if (messages.length > 1) return splitMessages(session, state, messages);
  const [message] = messages;
  if (message === undefined) throw refusal;
  if (message.records > 1) return splitRecords(session, lane, state, message);
  await buryRecord(session, lane, state, message, refusal);
  return [];
}

async function splitMessages(
  session: Session,
  state: LoadState,
  messages: readonly Message[],
): Promise<OpenLoad[]> {
  const middle = Math.ceil(messages.length / 2);
  const children = [messages.slice(0, middle), messages.slice(middle)].map((part, index) => ({
    state: childState(state, index, part),
    messages: part,
  }));
  await commit(session, ({ store }) => {
    store.deleteLoad(state.flow, state.id);
    for (const child of children) store.putLoad(child.state);
  });
  return children;
}

/** Children sort behind their parent and before the next load: `<id>.0`, `<id>.1`. */
function childState(
  parent: LoadState,
  index: number,
  messages: readonly Pick<Message, "messageId" | "records" | "bytes">[],
): LoadState {
  return {
    ...parent,
    id: `${parent.id}.${index}`,
    messageIds: messages.map(({ messageId }) => messageId),
    records: messages.reduce((sum, message) => sum + message.records, 0),
    bytes: messages.reduce((sum, message) => sum + message.bytes, 0),
  };
}

async function splitRecords(
  session: Session,
  lane: Lane,
  state: LoadState,
  message: Message,
): Promise<OpenLoad[]> {
  const body = message.body();
  const middle = lineEndNear(body, body.length / 2);
  const parts = [body.subarray(0, middle), body.subarray(middle)].map((part) => Buffer.from(part));
  const entries: SendEntry[] = parts.map((part) => ({
    body: part,
    records: countLines(part),
    attributes: message.attributes,
  }));
  const states = await commit(session, ({ queues, store }) => {
    const sent = queues.send(lane.queue, entries);
    queues.deleteById(lane.queue, [message.messageId]);
    store.deleteLoad(state.flow, state.id);
    return sent.map(({ messageId }, index) => {
      const part = { messageId, records: entries[index]?.records ?? 0, bytes: parts[index]?.length ?? 0 };
      const child = childState(state, index, [part]);
      store.putLoad(child);
      return child;
    });
  });
  const { environment, project } = session.host;
  const visibilityTimeoutMs = project.buffer.visibilityTimeoutMs;
  return Promise.all(
    states.map(async (child) => ({
      state: child,
      messages: await environment.queues.claim(lane.queue, child.messageIds, visibilityTimeoutMs),
    })),
  );
}

/** Position behind a line end as near to `wanted` as there is, with a line on either side. */
function lineEndNear(body: Buffer, wanted: number): number {
  const before = body.lastIndexOf(0x0a, wanted);
  if (before >= 0 && before < body.length - 1) return before + 1;
  return body.indexOf(0x0a) + 1;
}

function countLines(body: Buffer): number {
  let lines = 0;
  for (let at = body.indexOf(0x0a); at >= 0; at = body.indexOf(0x0a, at + 1)) lines++;
  return lines;
}

async function buryRecord(
  session: Session,
  lane: Lane,
  state: LoadState,
  message: Message,
  refusal: RecordError,
): Promise<void> {
  const { flow, host, pool } = session;
  const line = message.body();
  const body =
    line.length > pool.size ? await host.environment.queues.stage(Buffer.from(line)) : Buffer.from(line);
  const entry = deadLetter(body, {
    flow: flow.name,
    run: state.run,
    stage: "sink",
    sink: lane.target.connection,
    sinkIndex: lane.index,
    rule: refusal.code,
    reason: refusal.message,
    order: "",
    schema: textAttributes(message.attributes).schema,
  });
  await commit(session, ({ queues, store }) => {
    queues.send(deadLetterQueue(flow.name), [entry]);
    queues.deleteById(lane.queue, [message.messageId]);
    store.deleteLoad(state.flow, state.id);
    updateRun(store, flow.name, state.run, (current) =>
      updateSink(current, lane.queue, (sink) => ({ ...sink, deadLettered: sink.deadLettered + 1 })),
    );
  });
}
