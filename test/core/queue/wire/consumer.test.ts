import type { Message } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { describe, expect, it } from "vitest";
import { call, type Service, startService } from "./service.js";

/** Consumes with the public package until `done`, then stops it and waits for it to stop. */
async function consume(
  { client, url }: Service,
  queue: string,
  handle: (messages: Message[]) => Promise<Message[]>,
  done: () => boolean,
): Promise<void> {
  const consumer = Consumer.create({
    queueUrl: `${url}/000000000000/${queue}`,
    sqs: client,
    batchSize: 10,
    waitTimeSeconds: 1,
    visibilityTimeout: 5,
    heartbeatInterval: 2,
    messageSystemAttributeNames: ["All"],
    messageAttributeNames: ["All"],
    shouldDeleteMessages: true,
    handleMessageBatch: handle,
  });
  const failures: Error[] = [];
  const fail = (error: Error): void => {
    failures.push(error);
  };
  consumer.on("error", fail).on("processing_error", fail).on("timeout_error", fail);
  // After a batch was handled and deleted.
  consumer.on("response_processed", () => {
    if (done()) consumer.stop();
  });
  const stopped = new Promise<void>((resolve) => consumer.on("stopped", () => resolve()));
  consumer.start();
  await stopped;
  expect(failures).toEqual([]);
}

describe("sqs-consumer", () => {
  it("consumes what a flow has queued, and gets back what it did not handle", async () => {
    const service = await startService();
    const { queues } = service.environment;
    await queues.createQueue("accounts--0-lake", { VisibilityTimeout: 1 });
    for (let batch = 0; batch < 5; batch++)
      await queues.send(
        "accounts--0-lake",
        Array.from({ length: 10 }, (_, n) => ({
          body: `{"Id":${batch * 10 + n}}\n`,
          attributes: { flow: "accounts", seq: String(n) },
          records: 1,
        })),
      );
    const handled: string[] = [];
    let refused = 0;
    await consume(
      service,
      "accounts--0-lake",
      async (messages) => {
        // The first of all is left to come again.
        const kept = refused === 0 ? messages.slice(1) : messages;
        refused += messages.length - kept.length;
        if (refused === 1 && kept.length < messages.length) {
          const [first] = messages;
          await call(service.url, "ChangeMessageVisibility", {
            QueueUrl: "accounts--0-lake",
            ReceiptHandle: first?.ReceiptHandle,
            VisibilityTimeout: 0,
          });
        }
        for (const { Body = "", MessageAttributes } of kept) {
          expect(MessageAttributes?.flow).toMatchObject({ DataType: "String", StringValue: "accounts" });
          handled.push(Body);
        }
        return kept;
      },
      () => handled.length === 50,
    );
    expect(refused).toBe(1);
    expect(new Set(handled).size).toBe(50);
    expect(queues.depth("accounts--0-lake").bytes).toBe(0);
  });

  it("consumes a FIFO queue in order", async () => {
    const service = await startService();
    const Attributes = { FifoQueue: "true", ContentBasedDeduplication: "true" };
    await call(service.url, "CreateQueue", { QueueName: "q.fifo", Attributes });
    for (let n = 0; n < 40; n++)
      await call(service.url, "SendMessage", {
        QueueUrl: "q.fifo",
        MessageBody: `g${n % 2}-${String(n).padStart(2, "0")}`,
        MessageGroupId: `g${n % 2}`,
      });
    const handled: string[] = [];
    await consume(
      service,
      "q.fifo",
      async (messages) => {
        handled.push(...messages.map(({ Body = "" }) => Body));
        return [...messages];
      },
      () => handled.length >= 40,
    );
    for (const group of ["g0", "g1"]) {
      const own = handled.filter((body) => body.startsWith(group));
      expect(own).toEqual([...own].sort());
      expect(own).toHaveLength(20);
    }
    expect(service.environment.queues.depth("q.fifo").bytes).toBe(0);
  });
});
