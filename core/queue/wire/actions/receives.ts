import {
  type BatchOutcome,
  CancelledError,
  ConfigError,
  type Message,
  type ReceiveRequest,
  RecordError,
} from "../../../contracts/index.js";
import { type Action, type Answer, type Call, NOTHING, objectUnlessEmpty, unlessEmpty } from "../action.js";
import { queueArn } from "../address.js";
import { BatchAnswer, type BatchEntry, batchEntries } from "../batch.js";
import { attributesMd5, md5 } from "../digest.js";
import {
  type AttributeFilter,
  attributeFilter,
  type Naming,
  systemAttributes,
  writeAttribute,
} from "../message-attributes.js";
import { type Parameters, requiredQueue, requiredText } from "../parameters.js";
import { type ObjectAddress, type WireContent, wireContent } from "../pointer.js";
import { wireRefusals } from "../wire-error.js";

const receiveMessage: Action = {
  name: "ReceiveMessage",
  async run(parameters, call) {
    const queue = requiredQueue(parameters);
    const most = parameters.integer("MaxNumberOfMessages") ?? 1;
    const wait = parameters.integer("WaitTimeSeconds");
    const visibility = parameters.integer("VisibilityTimeout");
    const attemptId = parameters.text("ReceiveRequestAttemptId");
    const names = [
      ...(parameters.texts("AttributeNames", "AttributeName") ?? []),
      ...(parameters.texts("MessageSystemAttributeNames", "MessageSystemAttributeName") ?? []),
    ];
    const filter = attributeFilter(parameters.texts("MessageAttributeNames", "MessageAttributeName"));
    const messages = await receive(queue, call, {
      maxNumberOfMessages: most,
      waitTimeMs: wait === undefined ? undefined : wait * 1000,
      visibilityTimeoutMs: visibility === undefined ? undefined : visibility * 1000,
      attemptId,
      get signal() {
        return call.signal();
      },
    });
    const asked = systemAttributes(names);
    const naming: Naming = { account: call.place.account, arnOf: (name) => queueArn(call.place, name) };
    const answers: Answer[] = [];
    for (const message of messages) {
      const content = contentOf(message, () => call.payloadOf(queue, message.messageId));
      if (content === undefined) continue;
      const attributes = asked.flatMap(([name, read]) => {
        const value = read(message, naming);
        return value === undefined ? [] : [[name, value] as const];
      });
      answers.push(messageAnswer(message, content, filter, attributes));
    }
    return { Messages: unlessEmpty(answers) };
  },
};

/** A receive that was waiting when the client left or the endpoint closed has received nothing. */
async function receive(queue: string, call: Call, request: ReceiveRequest): Promise<readonly Message[]> {
  let messages: readonly Message[];
  try {
    messages = await call.queues.receive(queue, request);
  } catch (error) {
    if (error instanceof CancelledError && call.signal().aborted) return [];
    throw error;
  }
  // Nobody saw them, and the next consumer need not wait for the timeout. Who gave an attempt id comes back for them.
  if (call.clientLeft() && messages.length > 0 && request.attemptId === undefined) {
    const changes = messages.map(({ receiptHandle }) => ({ receiptHandle, visibilityTimeoutMs: 0 }));
    await call.queues.changeVisibility(queue, changes);
  }
  return messages;
}

function messageAnswer(
  message: Message,
  { body, attributes }: WireContent,
  filter: AttributeFilter | undefined,
  system: readonly (readonly [string, string])[],
): Answer {
  const shown = filter === undefined ? [] : Object.entries(attributes).filter(([name]) => filter(name));
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: md5(body),
    Body: body.toString("utf8"),
    MessageAttributes: objectUnlessEmpty(
      shown.map(([name, attribute]) => [name, writeAttribute(attribute)] as const),
    ),
    // Over what is shown, not over what was sent.
    MD5OfMessageAttributes: attributesMd5(shown),
    Attributes: objectUnlessEmpty(system),
  };
}

/** Undefined for a message that was deleted, purged or has expired since it was received. */
function contentOf(message: Message, addressOf: () => ObjectAddress): WireContent | undefined {
  try {
    return wireContent(message, addressOf);
  } catch (error) {
    if (error instanceof RecordError && error.code === "MESSAGE_GONE") return undefined;
    throw error;
  }
}

const deleteMessage: Action = {
  name: "DeleteMessage",
  async run(parameters, { queues }) {
    const queue = requiredQueue(parameters);
    const handle = requiredText(parameters, "ReceiptHandle");
    throwRefusal(await queues.delete(queue, [handle]));
    return NOTHING;
  },
};

const deleteMessageBatch: Action = {
  name: "DeleteMessageBatch",
  async run(parameters, { queues }) {
    const queue = requiredQueue(parameters);
    const entries = batchEntries(parameters, queue, "DeleteMessageBatch");
    const handles = entries.map(({ parameters: given }) => requiredText(given, "ReceiptHandle"));
    return outcomesAnswer(entries, await queues.delete(queue, handles));
  },
};

const changeMessageVisibility: Action = {
  name: "ChangeMessageVisibility",
  async run(parameters, { queues }) {
    const queue = requiredQueue(parameters);
    throwRefusal(await queues.changeVisibility(queue, [readChange(parameters)]));
    return NOTHING;
  },
};

const changeMessageVisibilityBatch: Action = {
  name: "ChangeMessageVisibilityBatch",
  async run(parameters, { queues }) {
    const queue = requiredQueue(parameters);
    const entries = batchEntries(parameters, queue, "ChangeMessageVisibilityBatch");
    const changes = entries.map(({ parameters: given }) => readChange(given));
    return outcomesAnswer(entries, await queues.changeVisibility(queue, changes));
  },
};

/** The range is the queue's to judge: in a batch an entry out of range fails alone. */
function readChange(parameters: Parameters) {
  const receiptHandle = requiredText(parameters, "ReceiptHandle");
  const seconds = parameters.integer("VisibilityTimeout");
  if (seconds === undefined) throw wireRefusals.missing("VisibilityTimeout");
  return { receiptHandle, visibilityTimeoutMs: seconds * 1000 };
}

function throwRefusal([outcome]: readonly BatchOutcome[]): void {
  if (outcome?.error !== undefined) throw new ConfigError(outcome.error.code, outcome.error.message);
}

function outcomesAnswer(entries: readonly BatchEntry[], outcomes: readonly BatchOutcome[]): Answer {
  const answer = new BatchAnswer();
  entries.forEach(({ id }, index) => {
    const error = outcomes[index]?.error;
    if (error === undefined) answer.succeeded({ Id: id });
    else answer.refused(id, error);
  });
  return answer.answer();
}

export const receives: readonly Action[] = [
  receiveMessage,
  deleteMessage,
  deleteMessageBatch,
  changeMessageVisibility,
  changeMessageVisibilityBatch,
];
