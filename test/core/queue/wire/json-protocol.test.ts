import { beforeEach, describe, expect, it } from "vitest";
import { call, raw, refusalOf, type Service, startService } from "./service.js";

let service: Service;

beforeEach(async () => {
  service = await startService();
  await call(service.url, "CreateQueue", { QueueName: "q" });
});

const malformed = (message: unknown) => ({
  status: 400,
  type: "com.amazon.coral.service#SerializationException",
  queryError: "MalformedInput;Sender",
  message,
});

describe("the JSON protocol", () => {
  it("answers with its exact content type and a request id", async () => {
    for (const [action, status] of [
      ["ListQueues", 200],
      ["GetQueueUrl", 400],
    ] as const) {
      const answer = await call(service.url, action, {});
      expect(answer.status).toBe(status);
      expect(answer.headers["content-type"]).toBe("application/x-amz-json-1.0");
      expect(answer.headers["x-amzn-requestid"]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
  });

  it.each([
    ["ReceiveMessage", { QueueUrl: "q" }],
    ["ListQueues", { QueueNamePrefix: "x" }],
    ["ListQueueTags", { QueueUrl: "q" }],
    ["GetQueueAttributes", { QueueUrl: "q" }],
    ["ListDeadLetterSourceQueues", { QueueUrl: "q" }],
    ["UntagQueue", { QueueUrl: "q", TagKeys: ["x"] }],
    ["PurgeQueue", { QueueUrl: "q" }],
    ["DeleteQueue", { QueueUrl: "q" }],
    ["ListMessageMoveTasks", { SourceArn: "arn:aws:sqs:us-east-1:000000000000:q" }],
  ])("leaves out of %s what is empty", async (action, input) => {
    const { status, body } = await call(service.url, action, input);
    expect([status, body]).toEqual([200, "{}"]);
  });

  it("leaves out of a batch the side that is empty", async () => {
    const batch = async (MessageBody: string) =>
      (await call(service.url, "SendMessageBatch", { QueueUrl: "q", Entries: [{ Id: "a", MessageBody }] }))
        .json;
    expect(Object.keys(await batch("x"))).toEqual(["Successful"]);
    expect(Object.keys(await batch("\u0001"))).toEqual(["Failed"]);
  });

  it.each([
    ["no JSON", "{", "The request is not valid JSON."],
    ["nothing", "", "The request is not valid JSON."],
    ["a list", "[]", "Start of list found where not expected"],
    ["a text", '"x"', "STRING_VALUE can not be converted to a structure"],
    ["null", "null", expect.any(String)],
    ["a number for a text", '{"QueueUrl":1}', "NUMBER_VALUE can not be converted to a String"],
    ["a truth for a text", '{"QueueUrl":true}', "TRUE_VALUE can not be converted to a String"],
    ["a structure for a text", '{"QueueUrl":{}}', "Start of structure or map found where not expected."],
    ["a list for a text", '{"QueueUrl":[]}', "Start of list found where not expected"],
    [
      "a text for a number",
      '{"QueueUrl":"q","MaxNumberOfMessages":"1"}',
      "STRING_VALUE can not be converted to an Integer",
    ],
    [
      "a fraction",
      '{"QueueUrl":"q","WaitTimeSeconds":0.5}',
      "NUMBER_VALUE can not be converted to an Integer",
    ],
    [
      "a text for a list",
      '{"QueueUrl":"q","AttributeNames":"All"}',
      "STRING_VALUE can not be converted to a list",
    ],
    ["a number in a list of texts", '{"QueueUrl":"q","AttributeNames":[1]}', expect.any(String)],
  ])("refuses %s", async (_name, body, message) => {
    expect(refusalOf(await call(service.url, "ReceiveMessage", body))).toEqual(malformed(message));
    expect(service.errors).toEqual([]);
  });

  it("refuses what is not UTF-8, not base64, and maps that are lists", async () => {
    const headers = { "x-amz-target": "AmazonSQS.SendMessage" };
    const body = Buffer.concat([
      Buffer.from('{"QueueUrl":"q","MessageBody":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expect((await raw(service.url, { headers, body })).status).toBe(400);
    for (const MessageAttributes of [[], { a: { DataType: "Binary", BinaryValue: "%" } }, { a: "x" }]) {
      const answer = await call(service.url, "SendMessage", {
        QueueUrl: "q",
        MessageBody: "x",
        MessageAttributes,
      });
      expect(refusalOf(answer)).toEqual(malformed(expect.any(String)));
    }
    expect(service.environment.queues.depth("q").ApproximateNumberOfMessages).toBe(0);
  });

  it.each(["\ud800", "\u0000", "\u000b", "\ufffe", "\uffff"])(
    "refuses the character %j in a body",
    async (odd) => {
      const answer = await call(service.url, "SendMessage", { QueueUrl: "q", MessageBody: `a${odd}b` });
      expect(refusalOf(answer)).toMatchObject({
        status: 400,
        type: "com.amazonaws.sqs#InvalidMessageContents",
        queryError: "InvalidMessageContents;Sender",
      });
      const attribute = { DataType: "String", StringValue: odd };
      const input = { QueueUrl: "q", MessageBody: "x", MessageAttributes: { attribute } };
      expect(refusalOf(await call(service.url, "SendMessage", input)).queryError).toBe(
        "InvalidParameterValue;Sender",
      );
    },
  );

  it("takes null for absent, and ignores what it does not know", async () => {
    const input = { QueueUrl: "q", MessageBody: "x", DelaySeconds: null, Unknown: [{}] };
    expect((await call(service.url, "SendMessage", input)).status).toBe(200);
  });

  it.each(["AmazonSQS.FooBar", "AmazonSNS.Publish", "SendMessage.x", ""])(
    "knows no action %j",
    async (target) => {
      const answer = await raw(service.url, { headers: { "x-amz-target": target }, body: "{}" });
      expect(answer.status).toBe(400);
      expect(answer.headers["x-amzn-query-error"]).toBe("InvalidAction;Sender");
      expect(JSON.parse(answer.body)).toEqual({
        __type: "com.amazon.coral.service#UnknownOperationException",
        message: expect.stringContaining("is not valid for this endpoint."),
      });
    },
  );

  it("goes by its target, whatever the path and the content type", async () => {
    for (const [path, type] of [
      ["/", "application/x-amz-json-1.0"],
      ["/000000000000/q", "application/x-amz-json-1.0"],
      ["/any/thing?x=y", "text/plain"],
      ["/", "application/x-www-form-urlencoded"],
    ] as const) {
      const headers = { "x-amz-target": "AmazonSQS.GetQueueUrl", "content-type": type };
      const answer = await raw(service.url, { path, headers, body: '{"QueueName":"q"}' });
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe("application/x-amz-json-1.0");
    }
  });

  it("takes the longest message however its writer escaped it, and no request above that", async () => {
    const escaped = "\\u00e9".repeat(524_288);
    const input = `{"QueueUrl":"q","MessageBody":"${escaped}"}`;
    expect((await call(service.url, "SendMessage", input)).status).toBe(200);
    expect(service.environment.queues.depth("q").bytes).toBe(1_048_576);
    const answer = await raw(service.url, {
      headers: { "x-amz-target": "AmazonSQS.SendMessage" },
      body: Buffer.alloc(7_000_000, 0x20),
    });
    expect(answer.status).toBe(413);
    expect(answer.headers["x-amzn-query-error"]).toBe("RequestEntityTooLarge;Sender");
  });

  it("does not take requests of web pages", async () => {
    const target = { "x-amz-target": "AmazonSQS.DeleteQueue" };
    const signs: Record<string, string>[] = [
      { origin: "http://evil.example" },
      { "sec-fetch-site": "cross-site" },
    ];
    for (const sign of signs) {
      const form = await raw(service.url, { headers: { ...target, ...sign }, body: '{"QueueUrl":"q"}' });
      expect(form.status).toBe(403);
      const path = "/?Action=DeleteQueue&QueueUrl=q";
      expect((await raw(service.url, { method: "GET", path, headers: sign })).status).toBe(403);
    }
    expect(service.environment.queues.hasQueue("q")).toBe(true);
  });

  it("answers a fault of its own in JSON, and logs it", async () => {
    await service.environment.close();
    const answer = await call(service.url, "SendMessage", { QueueUrl: "q", MessageBody: "x" });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.headers["x-amzn-query-error"]).toMatch(/;Receiver$/);
    expect(service.errors).toHaveLength(1);
  });

  it("is healthy", async () => {
    const { status, body } = await raw(service.url, { method: "GET", path: "/health" });
    expect([status, JSON.parse(body)]).toEqual([200, { status: "ok" }]);
    expect((await raw(service.url, { method: "HEAD", path: "/health" })).status).toBe(200);
  });
});
