import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../virtual-clock.js";
import { call, refusalOf, type Service, startService } from "./service.js";

const FRESH = {
  ApproximateNumberOfMessages: "0",
  ApproximateNumberOfMessagesNotVisible: "0",
  ApproximateNumberOfMessagesDelayed: "0",
  CreatedTimestamp: "1767225600",
  DelaySeconds: "0",
  LastModifiedTimestamp: "1767225600",
  MaximumMessageSize: "1048576",
  MessageRetentionPeriod: "345600",
  QueueArn: "arn:aws:sqs:us-east-1:000000000000:q",
  ReceiveMessageWaitTimeSeconds: "0",
  SqsManagedSseEnabled: "true",
  VisibilityTimeout: "30",
};
const FRESH_FIFO = {
  ...FRESH,
  QueueArn: "arn:aws:sqs:us-east-1:000000000000:q.fifo",
  FifoQueue: "true",
  ContentBasedDeduplication: "false",
  DeduplicationScope: "queue",
  FifoThroughputLimit: "perQueue",
};

async function attributesOf({ url }: Service, queue: string, names: readonly string[] = ["All"]) {
  const { status, json } = await call(url, "GetQueueAttributes", { QueueUrl: queue, AttributeNames: names });
  expect(status).toBe(200);
  return json.Attributes;
}

const create = ({ url }: Service, name: string, attributes: Record<string, string> = {}) =>
  call(url, "CreateQueue", { QueueName: name, Attributes: attributes });
const set = ({ url }: Service, name: string, attributes: Record<string, string>) =>
  call(url, "SetQueueAttributes", { QueueUrl: name, Attributes: attributes });

async function bothQueues(clock = new VirtualClock()): Promise<Service> {
  const service = await startService({ clock });
  await create(service, "q");
  await create(service, "q.fifo", { FifoQueue: "true" });
  return service;
}

describe("the attributes of a queue", () => {
  it("of a fresh one are the service's defaults", async () => {
    const service = await bothQueues();
    expect(await attributesOf(service, "q")).toEqual(FRESH);
    expect(await attributesOf(service, "q.fifo")).toEqual(FRESH_FIFO);
  });

  it("are those that were asked for; none when none were", async () => {
    const service = await bothQueues();
    expect(await attributesOf(service, "q", [])).toBeUndefined();
    expect(await attributesOf(service, "q", ["Policy", "FifoQueue"])).toBeUndefined();
    expect(await attributesOf(service, "q", ["VisibilityTimeout", "Policy", "QueueArn"])).toEqual({
      VisibilityTimeout: "30",
      QueueArn: FRESH.QueueArn,
    });
    const answer = await call(service.url, "GetQueueAttributes", {
      QueueUrl: "q",
      AttributeNames: ["All", "X"],
    });
    expect(refusalOf(answer)).toMatchObject({ status: 400, message: "Unknown Attribute X." });
    expect(refusalOf(answer).queryError).toBe("InvalidAttributeName;Sender");
  });

  it("count messages by state", async () => {
    const service = await bothQueues();
    const { url } = service;
    for (const DelaySeconds of [0, 0, 0, 60])
      await call(url, "SendMessage", { QueueUrl: "q", MessageBody: "x", DelaySeconds });
    await call(url, "ReceiveMessage", { QueueUrl: "q" });
    expect(await attributesOf(service, "q")).toMatchObject({
      ApproximateNumberOfMessages: "2",
      ApproximateNumberOfMessagesNotVisible: "1",
      ApproximateNumberOfMessagesDelayed: "1",
    });
  });

  it("tell when they were last changed, in whole seconds", async () => {
    const clock = new VirtualClock();
    const service = await bothQueues(clock);
    clock.step(61_900);
    expect((await set(service, "q", { DelaySeconds: "5" })).json).toEqual({});
    expect(await attributesOf(service, "q")).toMatchObject({
      CreatedTimestamp: FRESH.CreatedTimestamp,
      LastModifiedTimestamp: String(Number(FRESH.CreatedTimestamp) + 61),
      DelaySeconds: "5",
    });
  });

  const RANGES: readonly (readonly [name: string, least: number, most: number])[] = [
    ["DelaySeconds", 0, 900],
    ["MaximumMessageSize", 1024, 1_048_576],
    ["MessageRetentionPeriod", 60, 1_209_600],
    ["ReceiveMessageWaitTimeSeconds", 0, 20],
    ["VisibilityTimeout", 0, 43_200],
    ["KmsDataKeyReusePeriodSeconds", 60, 86_400],
  ];

  it.each(RANGES)("%s is a whole number from %i to %i", async (name, least, most) => {
    const service = await bothQueues();
    for (const good of [least, most]) {
      expect((await set(service, "q", { [name]: String(good) })).status).toBe(200);
      expect(await attributesOf(service, "q", [name])).toEqual({ [name]: String(good) });
    }
    for (const value of [String(least - 1), String(most + 1), "", "x", "1.5", "1e2", " 60"]) {
      const refusal = refusalOf(await set(service, "q", { [name]: value }));
      expect(refusal, value).toEqual({
        status: 400,
        type: "com.amazonaws.sqs#InvalidAttributeValue",
        queryError: "InvalidAttributeValue;Sender",
        message: `Invalid value for the parameter ${name}.`,
      });
      const created = refusalOf(await create(service, "new", { [name]: value }));
      expect(created.queryError, value).toBe("InvalidAttributeValue;Sender");
    }
    expect(await attributesOf(service, "q", [name])).toEqual({ [name]: String(most) });
  });

  it.each([
    ["SqsManagedSseEnabled", "q", ["true", "false"]],
    ["ContentBasedDeduplication", "q.fifo", ["true", "false"]],
    ["DeduplicationScope", "q.fifo", ["messageGroup", "queue"]],
  ] as const)("%s is one of its values", async (name, queue, values) => {
    const service = await bothQueues();
    for (const value of values) {
      expect((await set(service, queue, { [name]: value })).status).toBe(200);
      expect(await attributesOf(service, queue, [name])).toEqual({ [name]: value });
    }
    for (const value of ["", "yes"])
      expect(refusalOf(await set(service, queue, { [name]: value })).message).toBe(
        `Invalid value for the parameter ${name}.`,
      );
  });

  it("takes truth in any letter case", async () => {
    const service = await startService();
    const { status } = await create(service, "q.fifo", {
      FifoQueue: "True",
      ContentBasedDeduplication: "TRUE",
    });
    expect(status).toBe(200);
    expect(await attributesOf(service, "q.fifo", ["FifoQueue", "ContentBasedDeduplication"])).toEqual({
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
    });
  });

  it("joins high throughput to its scope", async () => {
    const service = await bothQueues();
    expect((await set(service, "q.fifo", { FifoThroughputLimit: "perMessageGroupId" })).status).toBe(400);
    const both = { FifoThroughputLimit: "perMessageGroupId", DeduplicationScope: "messageGroup" };
    expect((await set(service, "q.fifo", both)).status).toBe(200);
    expect(await attributesOf(service, "q.fifo")).toMatchObject(both);
  });

  it.each([
    ["FifoQueue", "true", "Unknown Attribute FifoQueue."],
    ["FifoQueue", "false", "Unknown Attribute FifoQueue."],
    ["ContentBasedDeduplication", "true", "Unknown Attribute ContentBasedDeduplication."],
    [
      "DeduplicationScope",
      "queue",
      "You can specify the DeduplicationScope only when FifoQueue is set to true.",
    ],
    [
      "FifoThroughputLimit",
      "perQueue",
      "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
    ],
    ["QueueArn", "x", "Unknown Attribute QueueArn."],
    ["Foo", "x", "Unknown Attribute Foo."],
  ])("%s=%s is no attribute of a standard queue", async (name, value, message) => {
    const service = await bothQueues();
    const refusal = {
      status: 400,
      type: "com.amazonaws.sqs#InvalidAttributeName",
      queryError: "InvalidAttributeName;Sender",
      message,
    };
    expect(refusalOf(await set(service, "q", { [name]: value }))).toEqual(refusal);
    if (name !== "FifoQueue" || value !== "true")
      expect(refusalOf(await create(service, "new", { [name]: value }))).toEqual(refusal);
  });

  it("never change a queue's type", async () => {
    const service = await bothQueues();
    expect((await set(service, "q.fifo", { FifoQueue: "true" })).status).toBe(200);
    expect(refusalOf(await set(service, "q.fifo", { FifoQueue: "false" }))).toMatchObject({
      queryError: "InvalidAttributeValue;Sender",
      message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    });
  });

  it("know one kind of encryption at a time", async () => {
    const service = await bothQueues();
    const both = { KmsMasterKeyId: "k", SqsManagedSseEnabled: "true" };
    const words =
      "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
    for (const answer of [await create(service, "new", both), await set(service, "q", both)])
      expect(refusalOf(answer)).toMatchObject({ queryError: "InvalidAttributeName;Sender", message: words });
    await set(service, "q", { KmsMasterKeyId: "k" });
    const kms = { KmsMasterKeyId: "k", SqsManagedSseEnabled: "false" };
    expect(await attributesOf(service, "q")).toEqual({ ...FRESH, ...kms });
    expect(refusalOf(await set(service, "q", { SqsManagedSseEnabled: "true" })).message).toBe(words);
    expect((await create(service, "new", { KmsMasterKeyId: "k" })).status).toBe(200);
    expect(await attributesOf(service, "new", Object.keys(kms))).toEqual(kms);
    await set(service, "q", { KmsMasterKeyId: "", SqsManagedSseEnabled: "true" });
    expect(await attributesOf(service, "q")).toEqual(FRESH);
  });

  it("name dead-letter queues by ARN, and forget them for an empty text", async () => {
    const service = await bothQueues();
    await create(service, "dead");
    const target = "arn:aws:sqs:us-east-1:000000000000:dead";
    for (const maxReceiveCount of [3, "4"]) {
      const policy = JSON.stringify({ maxReceiveCount, deadLetterTargetArn: target });
      expect((await set(service, "q", { RedrivePolicy: policy })).status).toBe(200);
      expect(await attributesOf(service, "q", ["RedrivePolicy"])).toEqual({
        RedrivePolicy: JSON.stringify({
          deadLetterTargetArn: target,
          maxReceiveCount: Number(maxReceiveCount),
        }),
      });
    }
    const allow = { redrivePermission: "byQueue", sourceQueueArns: ["arn:aws:sqs:us-east-1:000000000000:q"] };
    await set(service, "dead", { RedriveAllowPolicy: JSON.stringify(allow) });
    expect(await attributesOf(service, "dead", ["RedriveAllowPolicy"])).toEqual({
      RedriveAllowPolicy: JSON.stringify(allow),
    });
    const other = await create(service, "other", {
      RedrivePolicy: JSON.stringify({ maxReceiveCount: 1, deadLetterTargetArn: target }),
    });
    expect(other.headers["x-amzn-query-error"]).toBe("InvalidParameterValue;Sender");
    for (const queue of ["q", "dead"])
      await set(service, queue, { RedrivePolicy: "", RedriveAllowPolicy: "" });
    expect(await attributesOf(service, "q")).toEqual({ ...FRESH });
  });

  it.each([
    ["no JSON", "{"],
    ["no statement", "{}"],
    ["21 statements", JSON.stringify({ Statement: Array.from({ length: 21 }, () => ({})) })],
    ["8 actions in one", JSON.stringify({ Statement: { Action: Array.from({ length: 8 }, () => "a") } })],
    [
      "51 principals",
      JSON.stringify({ Statement: { Principal: { AWS: Array.from({ length: 51 }, String) } } }),
    ],
    [
      "11 conditions",
      JSON.stringify({
        Statement: { Condition: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`c${i}`, {}])) },
      }),
    ],
    ["8193 bytes", JSON.stringify({ Statement: [{ Sid: "x".repeat(8193 - 26) }] })],
  ])("a policy with %s is refused", async (_name, policy) => {
    const service = await bothQueues();
    expect(refusalOf(await set(service, "q", { Policy: policy }))).toMatchObject({
      queryError: "InvalidAttributeValue;Sender",
      message: "Invalid value for the parameter Policy.",
    });
  });

  it("keep a policy as it was sent, until it is sent empty", async () => {
    const service = await bothQueues();
    const policy = JSON.stringify(
      { Version: "2012-10-17", Statement: [{ Sid: "x".repeat(8000) }] },
      undefined,
      1,
    );
    await set(service, "q", { Policy: policy });
    expect(await attributesOf(service, "q")).toEqual({ ...FRESH, Policy: policy });
    await set(service, "q", { Policy: "" });
    expect(await attributesOf(service, "q")).toEqual(FRESH);
  });

  it("of a flow's queue are shown too", async () => {
    const service = await startService({ clock: new VirtualClock() });
    await service.environment.queues.createQueue("flow--0-lake");
    expect(await attributesOf(service, "flow--0-lake")).toEqual({
      ...FRESH,
      QueueArn: "arn:aws:sqs:us-east-1:000000000000:flow--0-lake",
      MaximumMessageSize: "262144",
      MessageRetentionPeriod: "1209600",
    });
  });
});

describe("creating a queue that exists", () => {
  it("compares what was sent with what is", async () => {
    const service = await startService();
    await create(service, "q", { VisibilityTimeout: "40" });
    expect((await create(service, "q")).status).toBe(200);
    expect((await create(service, "q", { VisibilityTimeout: "40", DelaySeconds: "0" })).status).toBe(200);
    await set(service, "q", { VisibilityTimeout: "50" });
    expect((await create(service, "q", { VisibilityTimeout: "50" })).status).toBe(200);
    const refusal = refusalOf(await create(service, "q", { VisibilityTimeout: "40" }));
    expect(refusal).toEqual({
      status: 400,
      type: "com.amazonaws.sqs#QueueNameExists",
      queryError: "QueueAlreadyExists;Sender",
      message:
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
    });
  });

  it("by many at once makes one, whatever they leave out", async () => {
    const service = await startService();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        create(service, "q", index % 2 === 0 ? { MaximumMessageSize: "1048576" } : {}),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(service.environment.queues.listQueues()).toEqual(["q"]);
  });

  it("refuses tags that cannot be before it makes it", async () => {
    const service = await startService();
    const tags = { "aws:x": "1" };
    expect((await call(service.url, "CreateQueue", { QueueName: "q", tags })).status).toBe(400);
    expect(service.environment.queues.listQueues()).toEqual([]);
  });
});
