import { Agent, request as httpRequest } from "node:http";
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import type { ReceiveRequest } from "../../../../core/contracts/index.js";
import { memoryEnvironment } from "../../../../core/store/index.js";
import { seededRandom } from "../../../seeded-random.js";
import { VirtualClock } from "../../../virtual-clock.js";
import { afterTest, call, clientOf, raw, type Service, startService } from "./service.js";

/** Lets the event loop turn until it holds. */
async function until(holds: () => boolean, what: string): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > 10_000) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Resolves when `waiting` receives are in their long poll. */
const polling = (clock: VirtualClock, waiting: number) =>
  until(() => clock.waiting >= waiting, `${waiting} long polls have begun`);

async function started(): Promise<Service & { readonly clock: VirtualClock }> {
  const clock = new VirtualClock();
  const service = await startService({ clock });
  await call(service.url, "CreateQueue", { QueueName: "q" });
  return { ...service, clock };
}
const longPoll = { QueueUrl: "q", WaitTimeSeconds: 20 };
const bodyOf = (json: Record<string, unknown>) => JSON.stringify(json.Messages ?? null);

describe("a long poll", () => {
  it("is woken by a send, and does not wait to fill itself", async () => {
    const { url, clock } = await started();
    const poll = call(url, "ReceiveMessage", { ...longPoll, MaxNumberOfMessages: 10 });
    await polling(clock, 1);
    await call(url, "SendMessage", { QueueUrl: "q", MessageBody: "x" });
    expect(bodyOf((await poll).json)).toContain('"Body":"x"');
  });

  it("sees a delay and a visibility timeout end", async () => {
    const { url, clock } = await started();
    await call(url, "SendMessage", { QueueUrl: "q", MessageBody: "x", DelaySeconds: 5 });
    for (const seconds of [5, 10]) {
      const poll = call(url, "ReceiveMessage", { ...longPoll, VisibilityTimeout: 10 });
      await polling(clock, 1);
      await clock.advance(seconds * 1000);
      expect(bodyOf((await poll).json)).toContain('"Body":"x"');
    }
  });

  it("ends with nothing after its time; the queue's own where it has none", async () => {
    const { url, clock } = await started();
    await call(url, "SetQueueAttributes", {
      QueueUrl: "q",
      Attributes: { ReceiveMessageWaitTimeSeconds: "3" },
    });
    for (const [WaitTimeSeconds, ms] of [
      [undefined, 3000],
      [7, 7000],
    ] as const) {
      const start = clock.now();
      const poll = call(url, "ReceiveMessage", { QueueUrl: "q", WaitTimeSeconds });
      await polling(clock, 1);
      while (clock.waiting > 0) await clock.advance(100);
      expect((await poll).body).toBe("{}");
      expect(clock.now() - start).toBe(ms);
    }
    expect((await call(url, "ReceiveMessage", { QueueUrl: "q", WaitTimeSeconds: 0 })).body).toBe("{}");
  });

  it("of a client that left takes no message", async () => {
    const { url, clock, environment, errors } = await started();
    const gone = new AbortController();
    const poll = fetch(url, {
      method: "POST",
      headers: { "x-amz-target": "AmazonSQS.ReceiveMessage" },
      body: JSON.stringify(longPoll),
      signal: gone.signal,
    });
    await polling(clock, 1);
    gone.abort();
    await expect(poll).rejects.toThrow();
    await until(() => clock.waiting === 0, "the long poll has ended");
    await call(url, "SendMessage", { QueueUrl: "q", MessageBody: "x" });
    expect(environment.queues.depth("q")).toMatchObject({
      ApproximateNumberOfMessages: 1,
      ApproximateNumberOfMessagesNotVisible: 0,
    });
    expect(errors).toEqual([]);
  });

  it.each([
    ["gives them back at once", "q", undefined, 1],
    ["keeps them for the attempt that asks again", "q.fifo", "try-1", 0],
  ] as const)("whose client left while messages were taken %s", async (_name, queue, attemptId, visible) => {
    const clock = new VirtualClock();
    const environment = memoryEnvironment({ clock, random: seededRandom(1) });
    afterTest(() => environment.close());
    const gone = new AbortController();
    let noticed = (): boolean => false;
    let changes = 0;
    const queues = new Proxy(environment.queues, {
      get: (target, name) => {
        if (name === "changeVisibility") changes += 1;
        const member: unknown = Reflect.get(target, name);
        if (name !== "receive") return typeof member === "function" ? member.bind(target) : member;
        return async (from: string, { signal, ...request }: ReceiveRequest) => {
          const messages = await target.receive(from, request);
          noticed = () => signal?.aborted === true;
          gone.abort();
          await until(noticed, "the endpoint has noticed");
          return messages;
        };
      },
    });
    const service = await startService({ clock, environment: { ...environment, queues } });
    await environment.queues.createQueue(queue, queue === "q" ? {} : { FifoQueue: true });
    const fifo = queue === "q" ? {} : { groupId: "g", deduplicationId: "d" };
    await environment.queues.send(queue, [{ body: "x", ...fifo }]);
    const headers = { "x-amz-target": "AmazonSQS.ReceiveMessage" };
    const body = JSON.stringify({ ...longPoll, QueueUrl: queue, ReceiveRequestAttemptId: attemptId });
    await expect(raw(service.url, { headers, body, signal: gone.signal })).rejects.toThrow();
    await until(() => noticed(), "the endpoint has noticed");
    // Closing waits for what is still being answered.
    await service.close();
    await until(() => changes === visible, "the messages were given back, or not");
    const depth = () => environment.queues.depth(queue).ApproximateNumberOfMessages;
    await until(() => depth() === visible, "the queue has them");
    if (attemptId !== undefined) {
      const again = await environment.queues.receive(queue, { maxNumberOfMessages: 1, attemptId });
      expect(again.map((message) => message.body().toString())).toEqual(["x"]);
    }
  });

  it("that begins to wait while the endpoint closes ends at once", async () => {
    const clock = new VirtualClock();
    const environment = memoryEnvironment({ clock, random: seededRandom(1) });
    afterTest(() => environment.close());
    await environment.queues.createQueue("q");
    let closed: Promise<void> | undefined;
    const queues = new Proxy(environment.queues, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (name !== "receive") return typeof member === "function" ? member.bind(target) : member;
        return (from: string, request: ReceiveRequest) => {
          closed = service.close();
          return target.receive(from, request);
        };
      },
    });
    const service = await startService({ clock, environment: { ...environment, queues } });
    expect((await call(service.url, "ReceiveMessage", longPoll)).body).toBe("{}");
    await closed;
    expect(service.errors).toEqual([]);
  });

  it("ends with an answer when the endpoint closes, and the connection with it", async () => {
    const service = await started();
    const agent = new Agent({ keepAlive: true });
    const poll = new Promise<{ readonly connection: string | undefined; readonly body: string }>(
      (resolve, reject) => {
        const { hostname, port } = new URL(service.url);
        const headers = { "x-amz-target": "AmazonSQS.ReceiveMessage" };
        const request = httpRequest({ hostname, port, method: "POST", headers, agent }, (response) => {
          let body = "";
          response.on("data", (chunk: Buffer) => {
            body += chunk.toString();
          });
          response.on("end", () => resolve({ connection: response.headers.connection, body }));
        });
        request.on("error", reject);
        request.end(JSON.stringify(longPoll));
      },
    );
    await polling(service.clock, 1);
    const closed = service.close();
    expect(await poll).toEqual({ connection: "close", body: "{}" });
    await closed;
    agent.destroy();
    await expect(fetch(`${service.url}/health`)).rejects.toThrow();
  });
});

describe("many clients at once", () => {
  it("get every message once between them, and delete them all", async () => {
    const service = await startService();
    const { url, environment } = service;
    await call(url, "CreateQueue", { QueueName: "q" });
    const clients = Array.from({ length: 30 }, () => clientOf(url));
    const got: string[] = [];
    try {
      await Promise.all(
        clients.map((client, index) =>
          client.send(
            new SendMessageBatchCommand({
              QueueUrl: "q",
              Entries: Array.from({ length: 10 }, (_, n) => ({ Id: `e${n}`, MessageBody: `${index}-${n}` })),
            }),
          ),
        ),
      );
      await Promise.all(
        clients.map(async (client) => {
          for (;;) {
            const input = { QueueUrl: "q", MaxNumberOfMessages: 7 };
            const { Messages } = await client.send(new ReceiveMessageCommand(input));
            if (Messages === undefined) return;
            got.push(...Messages.map(({ Body = "" }) => Body));
            const { Successful } = await client.send(
              new DeleteMessageBatchCommand({
                QueueUrl: "q",
                Entries: Messages.map(({ ReceiptHandle }, n) => ({ Id: `e${n}`, ReceiptHandle })),
              }),
            );
            expect(Successful).toHaveLength(Messages.length);
          }
        }),
      );
    } finally {
      for (const client of clients) client.destroy();
    }
    const sent = Array.from({ length: 300 }, (_, n) => `${Math.floor(n / 10)}-${n % 10}`);
    expect(got.sort()).toEqual(sent.sort());
    expect(environment.queues.depth("q").bytes).toBe(0);
    expect(service.errors).toEqual([]);
  });
});
