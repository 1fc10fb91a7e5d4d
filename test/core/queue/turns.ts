import type { Queues } from "../../../core/contracts/index.js";

/** What a process does to a queue before another one has its turn. */
export interface Turn {
  readonly queue: string;
  readonly verb: "send" | "receive" | "return";
  /** Of a send. */
  readonly bodies: readonly string[];
}

/** Bodies of what it was given: received messages are deleted, returned ones are left for the next receive. */
export async function take(queues: Queues, { queue, verb, bodies }: Turn): Promise<string[]> {
  if (verb === "send") {
    const group = queue.endsWith(".fifo");
    await queues.send(
      queue,
      bodies.map((body) => (group ? { body, groupId: "g", deduplicationId: body } : { body })),
    );
    return [];
  }
  const messages = await queues.receive(queue, { maxNumberOfMessages: 10, waitTimeMs: 0 });
  const handles = messages.map(({ receiptHandle }) => receiptHandle);
  const given = messages.map((message) => message.body().toString());
  if (handles.length === 0) return given;
  if (verb === "receive") await queues.delete(queue, handles);
  else
    await queues.changeVisibility(
      queue,
      handles.map((receiptHandle) => ({ receiptHandle, visibilityTimeoutMs: 0 })),
    );
  return given;
}
