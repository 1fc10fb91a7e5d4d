import { ConfigError, type SendEntry, type SentMessage } from "../../../contracts/index.js";
import { refusals } from "../../refusals.js";
import type { Action, Answer, Call } from "../action.js";
import { BatchAnswer, batchEntries } from "../batch.js";
import { attributesMd5, md5 } from "../digest.js";
import { readAttributes, readTraceHeader, traceHeaderAttributes } from "../message-attributes.js";
import { type Parameters, requiredQueue, requiredText } from "../parameters.js";

const sendMessage: Action = {
  name: "SendMessage",
  async run(parameters, call) {
    const queue = requiredQueue(parameters);
    const message = readMessage(parameters, call.traceId);
    const [sent] = await sendOne(queue, message.entry, call);
    if (sent === undefined) throw new RangeError("a send of one entry was answered with none");
    return sentAnswer(message, sent);
  },
};

/** The queue sends in batches; what is too long for one of them is, alone, too long for the queue. */
async function sendOne(queue: string, entry: SendEntry, { queues }: Call): Promise<readonly SentMessage[]> {
  try {
    return await queues.send(queue, [entry]);
  } catch (error) {
    if (!(error instanceof ConfigError && error.code === "BatchRequestTooLong")) throw error;
    throw refusals.tooLong(queue, queues.getQueueAttributes(queue).MaximumMessageSize, "one");
  }
}

const sendMessageBatch: Action = {
  name: "SendMessageBatch",
  async run(parameters, call) {
    const queue = requiredQueue(parameters);
    const entries = batchEntries(parameters, queue, "SendMessageBatch");
    const answer = new BatchAnswer();
    const ready: { readonly id: string; readonly message: WireMessage }[] = [];
    for (const { id, parameters: given } of entries) {
      try {
        ready.push({ id, message: readMessage(given, undefined) });
      } catch (error) {
        answer.threw(id, error);
      }
    }
    await sendReady(queue, ready, call, answer);
    return answer.answer();
  },
};

async function sendReady(
  queue: string,
  ready: readonly { readonly id: string; readonly message: WireMessage }[],
  { queues }: Call,
  answer: BatchAnswer,
): Promise<void> {
  if (ready.length === 0) {
    if (!queues.hasQueue(queue)) throw refusals.queueDoesNotExist(queue);
    return;
  }
  const outcomes = await queues.sendEach(
    queue,
    ready.map(({ message }) => message.entry),
  );
  ready.forEach(({ id, message }, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) throw new RangeError("a batch was answered for fewer entries than it had");
    if ("error" in outcome) answer.refused(id, outcome.error);
    else answer.succeeded({ Id: id, ...sentAnswer(message, outcome) });
  });
}

interface WireMessage {
  readonly body: string;
  readonly entry: SendEntry;
  /** As the request's system attributes carry it: a header of the request has no digest. */
  readonly traceHeader: string | undefined;
}

function readMessage(parameters: Parameters, traceId: string | undefined): WireMessage {
  const body = requiredText(parameters, "MessageBody");
  const delay = parameters.integer("DelaySeconds");
  const attributes = readAttributes(parameters);
  const traceHeader = readTraceHeader(parameters);
  const groupId = parameters.text("MessageGroupId");
  const deduplicationId = parameters.text("MessageDeduplicationId");
  const trace = traceHeader ?? traceId;
  const entry: SendEntry = {
    body,
    ...(delay === undefined ? undefined : { delayMs: delay * 1000 }),
    ...(attributes === undefined ? undefined : { attributes }),
    ...(groupId === undefined ? undefined : { groupId }),
    ...(deduplicationId === undefined ? undefined : { deduplicationId }),
    ...(trace === undefined ? undefined : { traceHeader: trace }),
  };
  return { body, entry, traceHeader };
}

function sentAnswer({ body, entry, traceHeader }: WireMessage, sent: SentMessage): Answer {
  const { attributes } = entry;
  return {
    MessageId: sent.messageId,
    MD5OfMessageBody: md5(body),
    MD5OfMessageAttributes: attributes === undefined ? undefined : attributesMd5(Object.entries(attributes)),
    MD5OfMessageSystemAttributes:
      traceHeader === undefined ? undefined : attributesMd5(traceHeaderAttributes(traceHeader)),
    SequenceNumber: sent.sequenceNumber,
  };
}

export const sends: readonly Action[] = [sendMessage, sendMessageBatch];
