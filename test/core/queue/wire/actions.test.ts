import {
  AddPermissionCommand,
  CancelMessageMoveTaskCommand,
  ChangeMessageVisibilityBatchCommand,
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListDeadLetterSourceQueuesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  RemovePermissionCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
  SQSServiceException,
  StartMessageMoveTaskCommand,
  TagQueueCommand,
  UntagQueueCommand,
} from "@aws-sdk/client-sqs";
import { beforeEach, describe, expect, it } from "vitest";
import { ACTIONS } from "../../../../core/queue/wire/actions/index.js";
import { VirtualClock } from "../../../virtual-clock.js";
import { call, clientOf, type Service, startService } from "./service.js";

let service: Service;
let client: SQSClient;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock();
  service = await startService({ clock });
  client = service.client;
});

const urlOf = (name: string) => `${service.url}/000000000000/${name}`;
const arnOf = (name: string) => `arn:aws:sqs:eu-central-1:000000000000:${name}`;

async function create(name: string, Attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
  return QueueUrl ?? "";
}
const send = (QueueUrl: string, MessageBody: string, more = {}) =>
  client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
async function receive(QueueUrl: string, more: Partial<ReceiveMessageCommandInput> = {}) {
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, ...more }));
  return Messages;
}
const bodies = async (url: string, most = 10) =>
  (await receive(url, { MaxNumberOfMessages: most })).map(({ Body }) => Body);

async function refusal(promise: Promise<unknown>): Promise<SQSServiceException> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SQSServiceException) return error;
  throw new Error(`not refused: ${String(error)}`);
}

it("has every action of the API", () => {
  expect([...ACTIONS.keys()].sort()).toEqual([
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
  ]);
});

describe("queues", () => {
  it("are created, found, listed in pages and deleted", async () => {
    expect(await create("b")).toBe(urlOf("b"));
    for (const name of ["a1", "a3", "a2"]) await create(name);
    expect(await create("a1")).toBe(urlOf("a1"));
    const found = await client.send(new GetQueueUrlCommand({ QueueName: "a1" }));
    expect(found.QueueUrl).toBe(urlOf("a1"));
    const all = await client.send(new ListQueuesCommand({}));
    expect(all).toMatchObject({ QueueUrls: ["a1", "a2", "a3", "b"].map(urlOf) });
    expect(all.NextToken).toBeUndefined();
    const first = await client.send(new ListQueuesCommand({ QueueNamePrefix: "a", MaxResults: 2 }));
    expect(first.QueueUrls).toEqual([urlOf("a1"), urlOf("a2")]);
    await client.send(new DeleteQueueCommand({ QueueUrl: urlOf("a2") }));
    const { NextToken = "" } = first;
    const second = await client.send(
      new ListQueuesCommand({ QueueNamePrefix: "a", MaxResults: 2, NextToken }),
    );
    expect(second.QueueUrls).toEqual([urlOf("a3")]);
    expect(second.NextToken).toBeUndefined();
    expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: "x" }))).QueueUrls).toBeUndefined();
    const error = await refusal(client.send(new DeleteQueueCommand({ QueueUrl: urlOf("a2") })));
    expect(error.name).toBe("QueueDoesNotExist");
    expect(error.$metadata.httpStatusCode).toBe(400);
    expect(Reflect.get(error, "Code")).toBe("AWS.SimpleQueueService.NonExistentQueue");
  });

  it("have the service's waits of a minute, where they are not switched off", async () => {
    const strict = await startService({ clock, cooldowns: true });
    const input = { QueueUrl: "q" };
    await call(strict.url, "CreateQueue", { QueueName: "q" });
    expect((await call(strict.url, "PurgeQueue", input)).status).toBe(200);
    clock.step(59_999);
    const purge = await refusal(strict.client.send(new PurgeQueueCommand(input)));
    expect(purge).toMatchObject({
      name: "PurgeQueueInProgress",
      Code: "AWS.SimpleQueueService.PurgeQueueInProgress",
      message: "Only one PurgeQueue operation on q is allowed every 60 seconds.",
    });
    expect(purge.$metadata.httpStatusCode).toBe(403);
    clock.step(1);
    expect((await call(strict.url, "PurgeQueue", input)).status).toBe(200);
    await call(strict.url, "DeleteQueue", input);
    const again = await refusal(strict.client.send(new CreateQueueCommand({ QueueName: "q" })));
    expect(again).toMatchObject({
      name: "QueueDeletedRecently",
      message:
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    });
    clock.step(60_000);
    expect((await call(strict.url, "CreateQueue", { QueueName: "q" })).status).toBe(200);
  });

  it("without those waits are purged and made again at once", async () => {
    const url = await create("q");
    for (let round = 0; round < 2; round++) {
      await send(url, "x");
      await client.send(new PurgeQueueCommand({ QueueUrl: url }));
      expect(await bodies(url)).toEqual([]);
    }
    await client.send(new DeleteQueueCommand({ QueueUrl: url }));
    expect(await create("q")).toBe(url);
  });

  it("are set and read", async () => {
    const url = await create("q", { VisibilityTimeout: "5" });
    await client.send(
      new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { ReceiveMessageWaitTimeSeconds: "3" } }),
    );
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ["VisibilityTimeout", "ReceiveMessageWaitTimeSeconds", "QueueArn"],
      }),
    );
    expect(Attributes).toEqual({
      VisibilityTimeout: "5",
      ReceiveMessageWaitTimeSeconds: "3",
      QueueArn: arnOf("q"),
    });
  });

  it("carry tags", async () => {
    const { QueueUrl } = await client.send(
      new CreateQueueCommand({ QueueName: "q", tags: { a: "1", ä: "" } }),
    );
    const tags = async () => (await client.send(new ListQueueTagsCommand({ QueueUrl }))).Tags;
    expect(await tags()).toEqual({ a: "1", ä: "" });
    await client.send(new TagQueueCommand({ QueueUrl, Tags: { a: "2", A: "3", toString: "4" } }));
    expect(await tags()).toEqual({ a: "2", ä: "", A: "3", toString: "4" });
    await client.send(new UntagQueueCommand({ QueueUrl, TagKeys: ["a", "ä", "A", "toString", "unknown"] }));
    expect(await tags()).toBeUndefined();
  });

  it("grant permissions in their policy", async () => {
    const url = await create("q");
    const grant = (Label: string, Actions: string[], AWSAccountIds: string[]) =>
      client.send(new AddPermissionCommand({ QueueUrl: url, Label, Actions, AWSAccountIds }));
    await grant("one", ["SendMessage"], ["111111111111"]);
    await grant("two", ["ReceiveMessage", "DeleteMessage"], ["111111111111", "222222222222"]);
    const policy = async () => {
      const input = { QueueUrl: url, AttributeNames: ["Policy" as const] };
      const { Attributes } = await client.send(new GetQueueAttributesCommand(input));
      return Attributes?.Policy === undefined ? undefined : JSON.parse(Attributes.Policy);
    };
    const one = {
      Sid: "one",
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::111111111111:root" },
      Action: "SQS:SendMessage",
      Resource: arnOf("q"),
    };
    const two = {
      Sid: "two",
      Effect: "Allow",
      Principal: { AWS: ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"] },
      Action: ["SQS:ReceiveMessage", "SQS:DeleteMessage"],
      Resource: arnOf("q"),
    };
    expect(await policy()).toEqual({
      Version: "2008-10-17",
      Id: `${arnOf("q")}/SQSDefaultPolicy`,
      Statement: [one, two],
    });
    expect((await refusal(grant("two", ["SendMessage"], ["111111111111"]))).message).toBe(
      "Value two for parameter Label is invalid. Reason: Already exists.",
    );
    await client.send(new RemovePermissionCommand({ QueueUrl: url, Label: "one" }));
    expect(await policy()).toMatchObject({ Statement: [two] });
    await client.send(new RemovePermissionCommand({ QueueUrl: url, Label: "two" }));
    expect(await policy()).toBeUndefined();
  });
});

describe("messages", () => {
  it("go in and come out with everything they carry", async () => {
    const url = await create("q");
    const body = "line\r\nnext\ttab <&> ü 😀 \u0085";
    const MessageAttributes = {
      text: { DataType: "String", StringValue: "värde" },
      "labelled.text": { DataType: "String.label", StringValue: "x" },
      number: { DataType: "Number", StringValue: "007.50" },
      picture: { DataType: "Binary.gif", BinaryValue: Buffer.from([0, 1, 254, 255]) },
      __proto: { DataType: "String", StringValue: "y" },
    };
    // The client compares the digests of bodies itself.
    const sent = await send(url, body, {
      MessageAttributes,
      MessageGroupId: "tenant-1",
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: "Root=1-2-3" } },
    });
    expect(sent.MessageId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(sent.SequenceNumber).toBeUndefined();
    clock.step(1000);
    const [message] = await receive(url, {
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    });
    expect(message?.MessageId).toBe(sent.MessageId);
    expect(message?.Body).toBe(body);
    expect(message?.MessageAttributes?.picture?.BinaryValue).toEqual(new Uint8Array([0, 1, 254, 255]));
    expect(message?.MessageAttributes).toMatchObject({
      text: MessageAttributes.text,
      "labelled.text": MessageAttributes["labelled.text"],
      number: MessageAttributes.number,
      __proto: MessageAttributes.__proto,
    });
    expect(message?.MD5OfMessageAttributes).toBe(sent.MD5OfMessageAttributes);
    expect(message?.Attributes).toEqual({
      SenderId: "000000000000",
      SentTimestamp: String(Date.UTC(2026, 0, 1)),
      ApproximateReceiveCount: "1",
      ApproximateFirstReceiveTimestamp: String(Date.UTC(2026, 0, 1) + 1000),
      MessageGroupId: "tenant-1",
      AWSTraceHeader: "Root=1-2-3",
    });
  });

  it("may name an attribute as objects name their own things", async () => {
    const attributes =
      '{"__proto__":{"DataType":"String","StringValue":"x"},"constructor":{"DataType":"String","StringValue":"y"}}';
    const url = await create("q");
    await call(
      service.url,
      "SendMessage",
      `{"QueueUrl":"q","MessageBody":"b","MessageAttributes":${attributes}}`,
    );
    const answer = await call(service.url, "ReceiveMessage", {
      QueueUrl: url,
      MessageAttributeNames: ["All"],
    });
    expect(answer.body).toContain('"__proto__":{"StringValue":"x","DataType":"String"}');
    expect(answer.body).toContain('"constructor":{"StringValue":"y","DataType":"String"}');
  });

  it.each([
    [["All"], ["General", "Hello", "Help.Me"]],
    [[".*"], ["General", "Hello", "Help.Me"]],
    [["*"], ["General", "Hello", "Help.Me"]],
    [["Hel.*"], ["Hello", "Help.Me"]],
    [
      ["Help.Me", "General"],
      ["General", "Help.Me"],
    ],
    [["Hell", "AWS.", "..foo", "hello"], []],
    [[], []],
  ])("show the attributes %j asks for", async (names, shown) => {
    const url = await create("q");
    const text = (StringValue: string) => ({ DataType: "String", StringValue });
    await send(url, "x", {
      MessageAttributes: { "Help.Me": text("Me"), Hello: text("There"), General: text("Kenobi") },
    });
    const [message] = await receive(url, { MessageAttributeNames: names });
    expect(Object.keys(message?.MessageAttributes ?? {}).sort()).toEqual(shown);
    expect(message?.MessageAttributes === undefined).toBe(shown.length === 0);
    // Over what is shown.
    const all = "4c360f3fdafd970e05fae2f149d997f5";
    if (shown.length === 3) expect(message?.MD5OfMessageAttributes).toBe(all);
    else expect(message?.MD5OfMessageAttributes).not.toBe(all);
    expect(message?.MD5OfMessageAttributes === undefined).toBe(shown.length === 0);
    expect(message?.Attributes).toBeUndefined();
  });

  it("unite the old and the new names of system attributes, and know no others", async () => {
    const url = await create("q");
    await send(url, "x");
    const { json } = await call(service.url, "ReceiveMessage", {
      QueueUrl: url,
      AttributeNames: ["SentTimestamp", "Policy"],
      MessageSystemAttributeNames: ["SenderId", "SequenceNumber", "Foo"],
    });
    const [message] = Array.isArray(json.Messages) ? json.Messages : [];
    expect(Object.keys(message.Attributes).sort()).toEqual(["SenderId", "SentTimestamp"]);
  });

  it("take the trace header of their request", async () => {
    const url = await create("q");
    await fetch(service.url, {
      method: "POST",
      headers: { "x-amz-target": "AmazonSQS.SendMessage", "x-amzn-trace-id": "Root=1-a-b" },
      body: JSON.stringify({ QueueUrl: url, MessageBody: "x" }),
    });
    const [message] = await receive(url, { MessageSystemAttributeNames: ["AWSTraceHeader"] });
    expect(message?.Attributes).toEqual({ AWSTraceHeader: "Root=1-a-b" });
  });

  it("are taken by their bare queue name and by any host's URL", async () => {
    await create("q");
    for (const QueueUrl of [
      "q",
      "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
      "https://queue.amazonaws.com/123456789012/q",
    ])
      await send(QueueUrl, QueueUrl);
    expect(await bodies("q")).toHaveLength(3);
  });

  it("are hidden, shown again, extended and deleted", async () => {
    const url = await create("q");
    await send(url, "x");
    const [first] = await receive(url, { VisibilityTimeout: 10 });
    expect(await bodies(url)).toEqual([]);
    const change = (handle: string | undefined, VisibilityTimeout: number) =>
      client.send(
        new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: handle, VisibilityTimeout }),
      );
    await change(first?.ReceiptHandle, 60);
    clock.step(59_000);
    expect(await bodies(url)).toEqual([]);
    expect((await refusal(change(first?.ReceiptHandle, 43_200))).message).toBe(
      "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
    );
    await change(first?.ReceiptHandle, 0);
    const [second] = await receive(url, { MessageSystemAttributeNames: ["ApproximateReceiveCount"] });
    expect(second?.Attributes).toEqual({ ApproximateReceiveCount: "2" });
    expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle);
    const remove = () =>
      client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second?.ReceiptHandle }));
    await remove();
    await remove();
    expect((await refusal(change(second?.ReceiptHandle, 5))).message).toBe(
      `Value ${second?.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
    );
    const other = await create("other");
    const foreign = await refusal(
      client.send(new DeleteMessageCommand({ QueueUrl: other, ReceiptHandle: second?.ReceiptHandle })),
    );
    expect(foreign.name).toBe("ReceiptHandleIsInvalid");
    expect(foreign.$metadata.httpStatusCode).toBe(404);
  });
});

describe("batches", () => {
  it("send what can be sent and say what cannot", async () => {
    const url = await create("q", { MaximumMessageSize: "2048" });
    const { Successful, Failed } = await client.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: [
          { Id: "full", MessageBody: "x".repeat(2048) },
          { Id: "one", MessageBody: "y" },
          { Id: "long", MessageBody: "x".repeat(2049) },
          { Id: "odd", MessageBody: "\u0001" },
          { Id: "late", MessageBody: "z", DelaySeconds: 901 },
          {
            Id: "list",
            MessageBody: "z",
            MessageAttributes: { a: { DataType: "String", StringListValues: ["x"] } },
          },
          {
            Id: "named",
            MessageBody: "z",
            MessageAttributes: { "AWS.x": { DataType: "String", StringValue: "x" } },
          },
          { Id: "typed", MessageBody: "z", MessageAttributes: { a: { DataType: "Text", StringValue: "x" } } },
        ],
      }),
    );
    expect(Successful?.map(({ Id }) => Id)).toEqual(["full", "one"]);
    expect(Failed?.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]).sort()).toEqual([
      ["late", "InvalidParameterValue", true],
      ["list", "AWS.SimpleQueueService.UnsupportedOperation", true],
      ["long", "InvalidParameterValue", true],
      ["named", "InvalidParameterValue", true],
      ["odd", "InvalidMessageContents", true],
      ["typed", "InvalidParameterValue", true],
    ]);
    expect(Failed?.find(({ Id }) => Id === "long")?.Message).toBe(
      "One or more parameters cannot be validated. Reason: Message must be shorter than 2048 bytes.",
    );
    expect((await bodies(url)).sort()).toEqual(["x".repeat(2048), "y"]);
  });

  it("of entries that all fail answer so, in a queue that is there", async () => {
    const MessageAttributes = { a: { DataType: "String", StringListValues: ["x"] } };
    const batch = (QueueUrl: string) =>
      client.send(
        new SendMessageBatchCommand({
          QueueUrl,
          Entries: [{ Id: "a", MessageBody: "z", MessageAttributes }],
        }),
      );
    const { Successful, Failed } = await batch(await create("q"));
    expect([Successful, Failed?.length]).toEqual([undefined, 1]);
    expect((await refusal(batch(urlOf("nope")))).name).toBe("QueueDoesNotExist");
  });

  it("change and delete by handle", async () => {
    const url = await create("q");
    for (const body of ["a", "b", "c"]) await send(url, body);
    const messages = await receive(url, { MaxNumberOfMessages: 10 });
    expect(messages.map(({ Body }) => Body)).toEqual(["a", "b", "c"]);
    const handles = [...messages.map(({ ReceiptHandle }) => ReceiptHandle), "garbage"];
    const change = await client.send(
      new ChangeMessageVisibilityBatchCommand({
        QueueUrl: url,
        Entries: handles.map((ReceiptHandle, index) => ({
          Id: `e${index}`,
          ReceiptHandle,
          VisibilityTimeout: index === 1 ? 43_201 : 0,
        })),
      }),
    );
    expect(change.Successful).toEqual([{ Id: "e0" }, { Id: "e2" }]);
    expect(change.Failed?.map(({ Id, Code }) => [Id, Code])).toEqual([
      ["e1", "InvalidParameterValue"],
      ["e3", "ReceiptHandleIsInvalid"],
    ]);
    expect(await bodies(url)).toEqual(["a", "c"]);
    const removed = await client.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url,
        Entries: handles.map((ReceiptHandle, index) => ({ Id: `e${index}`, ReceiptHandle })),
      }),
    );
    expect(removed.Successful?.map(({ Id }) => Id)).toEqual(["e0", "e1", "e2"]);
    expect(removed.Failed).toEqual([
      {
        Id: "e3",
        SenderFault: true,
        Code: "ReceiptHandleIsInvalid",
        Message: 'The input receipt handle "garbage" is not a valid receipt handle.',
      },
    ]);
    expect(service.environment.queues.depth("q").bytes).toBe(0);
  });
});

describe("a FIFO queue", () => {
  it("keeps each group in order, locks it while one is in flight, and drops repeats", async () => {
    const url = await create("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    const first = await send(url, "g1a", { MessageGroupId: "g1" });
    const repeat = await send(url, "g1a", { MessageGroupId: "g1" });
    expect(first.SequenceNumber).toMatch(/^\d{20}$/);
    expect(repeat.MessageId).toBe(first.MessageId);
    for (const [body, MessageGroupId] of [
      ["g2a", "g2"],
      ["g1b", "g1"],
      ["g2b", "g2"],
    ])
      await send(url, body ?? "", { MessageGroupId });
    const messages = await receive(url, { MaxNumberOfMessages: 2, MessageSystemAttributeNames: ["All"] });
    expect(messages.map(({ Body }) => Body)).toEqual(["g1a", "g1b"]);
    expect(messages[0]?.Attributes).toMatchObject({
      MessageGroupId: "g1",
      SequenceNumber: first.SequenceNumber,
      MessageDeduplicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await bodies(url)).toEqual(["g2a", "g2b"]);
    expect(await bodies(url)).toEqual([]);
    clock.step(30_001);
    const late = await refusal(
      client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: messages[0]?.ReceiptHandle })),
    );
    expect(late.message).toBe(
      `Value ${messages[0]?.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
    );
    expect(await bodies(url)).toHaveLength(4);
  });

  it("gives a lost answer again for its attempt id", async () => {
    const url = await create("q.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    await send(url, "a", { MessageGroupId: "g" });
    const first = await receive(url, { ReceiveRequestAttemptId: "try-1" });
    expect(await receive(url, { ReceiveRequestAttemptId: "try-1" })).toEqual(first);
    expect(await receive(url, { ReceiveRequestAttemptId: "try-2" })).toEqual([]);
  });

  it("takes a delay of 0 as the queue's own", async () => {
    const url = await create("q.fifo", { FifoQueue: "true", DelaySeconds: "5" });
    await send(url, "a", { MessageGroupId: "g", MessageDeduplicationId: "d", DelaySeconds: 0 });
    expect(await bodies(url)).toEqual([]);
    clock.step(5000);
    expect(await bodies(url)).toEqual(["a"]);
  });
});

describe("dead letters", () => {
  async function deadQueue(): Promise<{ readonly source: string; readonly dead: string }> {
    const dead = await create("dead");
    const policy = { deadLetterTargetArn: arnOf("dead"), maxReceiveCount: 1 };
    const source = await create("q", { RedrivePolicy: JSON.stringify(policy), VisibilityTimeout: "0" });
    return { source, dead };
  }

  it("arrive with their origin, and the sources are listed", async () => {
    const { source, dead } = await deadQueue();
    await send(source, "x");
    expect(await bodies(source)).toEqual(["x"]);
    expect(await bodies(source)).toEqual([]);
    const [message] = await receive(dead, { MessageSystemAttributeNames: ["All"] });
    expect(message?.Attributes).toMatchObject({
      ApproximateReceiveCount: "2",
      DeadLetterQueueSourceArn: arnOf("q"),
    });
    const { queueUrls } = await client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: dead }));
    expect(queueUrls).toEqual([source]);
    const none = await client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl: source }));
    expect(none.queueUrls).toBeUndefined();
  });

  it("are moved back by a task, which is listed and can be cancelled", async () => {
    const { source, dead } = await deadQueue();
    await send(source, "x");
    await bodies(source);
    await bodies(source);
    const SourceArn = arnOf("dead");
    const none = await client.send(new ListMessageMoveTasksCommand({ SourceArn }));
    expect(none.Results).toBeUndefined();
    const { TaskHandle = "" } = await client.send(new StartMessageMoveTaskCommand({ SourceArn }));
    expect(JSON.parse(Buffer.from(TaskHandle, "base64").toString())).toEqual({
      taskId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sourceArn: SourceArn,
    });
    await clock.advance(1000);
    const { Results } = await client.send(new ListMessageMoveTasksCommand({ SourceArn }));
    expect(Results).toEqual([
      {
        Status: "COMPLETED",
        SourceArn,
        ApproximateNumberOfMessagesMoved: 1,
        ApproximateNumberOfMessagesToMove: 1,
        StartedTimestamp: Date.UTC(2026, 0, 1),
      },
    ]);
    expect(await bodies(source)).toEqual(["x"]);
    const over = await refusal(client.send(new CancelMessageMoveTaskCommand({ TaskHandle })));
    expect(over).toMatchObject({ name: "ResourceNotFoundException", message: "Task does not exist." });
    expect(over.$metadata.httpStatusCode).toBe(404);

    for (let count = 0; count < 5; count++) await send(dead, `d${count}`);
    const started = await client.send(
      new StartMessageMoveTaskCommand({
        SourceArn,
        DestinationArn: arnOf("q"),
        MaxNumberOfMessagesPerSecond: 1,
      }),
    );
    const twice = await refusal(client.send(new StartMessageMoveTaskCommand({ SourceArn })));
    expect(twice.message).toBe(
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    );
    const running = await client.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }));
    expect(running.Results).toHaveLength(2);
    expect(running.Results?.[0]).toMatchObject({
      Status: "RUNNING",
      TaskHandle: started.TaskHandle,
      DestinationArn: arnOf("q"),
      MaxNumberOfMessagesPerSecond: 1,
      ApproximateNumberOfMessagesToMove: 5,
    });
    const cancel = new CancelMessageMoveTaskCommand({ TaskHandle: started.TaskHandle });
    const { ApproximateNumberOfMessagesMoved: moved = -1 } = await client.send(cancel);
    expect(moved).toBeGreaterThanOrEqual(0);
    expect(moved).toBeLessThan(5);
    const after = await client.send(new ListMessageMoveTasksCommand({ SourceArn }));
    expect(after.Results?.[0]?.Status).toMatch(/^CANCELL/);
    expect(after.Results?.[0]?.TaskHandle).toBeUndefined();
  });
});

it("names queues by the region and the host of the request", async () => {
  const chinese = clientOf(service.url.replace("127.0.0.1", "localhost"), undefined, "cn-north-1");
  const { QueueUrl } = await chinese.send(new CreateQueueCommand({ QueueName: "q" }));
  expect(QueueUrl).toBe(`${service.url.replace("127.0.0.1", "localhost")}/000000000000/q`);
  const input = { QueueUrl, AttributeNames: ["QueueArn" as const] };
  const { Attributes } = await chinese.send(new GetQueueAttributesCommand(input));
  expect(Attributes).toEqual({ QueueArn: "arn:aws-cn:sqs:cn-north-1:000000000000:q" });
  chinese.destroy();
  const other = await startService({ publicUrl: "https://queues.example", account: "123456789012" });
  const found = await call(other.url, "CreateQueue", { QueueName: "q" });
  expect(found.json.QueueUrl).toBe("https://queues.example/123456789012/q");
});
