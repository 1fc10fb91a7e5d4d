import { beforeEach, describe, expect, it } from "vitest";
import { call, query, raw, type Service, signerOf, startService } from "./service.js";

let service: Service;

beforeEach(async () => {
  service = await startService();
  const created = await query(service.url, "CreateQueue", { QueueName: "q" });
  expect(created.status).toBe(200);
});

const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";

/** The text of an element, as an XML parser would give it. */
function text(xml: string, name: string): string | undefined {
  const inner = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return inner
    ?.replaceAll("\r\n", "\n")
    .replaceAll("&#xD;", "\r")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
const count = (xml: string, name: string) => xml.split(`<${name}>`).length - 1;

describe("the query protocol", () => {
  it("answers in XML with the namespace, the result and the request id", async () => {
    const answer = await query(service.url, "GetQueueUrl", { QueueName: "q" });
    const id = answer.headers["x-amzn-requestid"];
    expect(answer.headers["content-type"]).toBe("text/xml");
    expect(answer.body).toBe(
      `<?xml version="1.0"?><GetQueueUrlResponse xmlns="${NAMESPACE}"><GetQueueUrlResult><QueueUrl>${service.url}/000000000000/q</QueueUrl></GetQueueUrlResult><ResponseMetadata><RequestId>${id}</RequestId></ResponseMetadata></GetQueueUrlResponse>`,
    );
  });

  it("answers an action without output with the request id alone", async () => {
    const { body } = await query(service.url, "PurgeQueue", { QueueUrl: "q" });
    expect(body).toMatch(
      /^<\?xml version="1.0"\?><PurgeQueueResponse xmlns="[^"]+"><ResponseMetadata><RequestId>[^<]+<\/RequestId><\/ResponseMetadata><\/PurgeQueueResponse>$/,
    );
  });

  it("answers errors in XML, with its own words for an unknown queue", async () => {
    const answer = await query(service.url, "DeleteQueue", { QueueUrl: "nope" });
    expect(answer.status).toBe(400);
    expect(answer.body).toBe(
      `<?xml version="1.0"?><ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist for this wsdl version.</Message><Detail/></Error><RequestId>${answer.headers["x-amzn-requestid"]}</RequestId></ErrorResponse>`,
    );
    const unknown = await query(service.url, "GetQueueAttributes", {
      QueueUrl: "q",
      "AttributeName.1": "Foo",
    });
    expect([unknown.status, text(unknown.body, "Code"), text(unknown.body, "Message")]).toEqual([
      400,
      "InvalidAttributeName",
      "Unknown Attribute Foo.",
    ]);
  });

  it("refuses an unknown and a missing action", async () => {
    const unknown = await query(service.url, "FooBar", {});
    expect([unknown.status, text(unknown.body, "Code")]).toEqual([400, "InvalidAction"]);
    expect(text(unknown.body, "Message")).toBe("The action FooBar is not valid for this endpoint.");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const missing = await raw(service.url, { headers: form, body: "QueueUrl=q" });
    expect([missing.status, text(missing.body, "Code")]).toEqual([400, "MissingAction"]);
  });

  it("answers a queue URL without an action as the service does", async () => {
    const answer = await raw(service.url, { method: "GET", path: "/000000000000/q" });
    expect(answer.status).toBe(404);
    expect(answer.body).toContain("<UnknownOperationException");
  });

  it("takes a query string, and the queue from the path", async () => {
    const sent = await raw(service.url, {
      method: "GET",
      path: `/000000000000/q?${new URLSearchParams({ Action: "SendMessage", MessageBody: "a+b & c=d %" })}`,
    });
    expect(sent.status).toBe(200);
    const received = await query(service.url, "ReceiveMessage", {}, "/000000000000/q");
    expect(text(received.body, "Body")).toBe("a+b & c=d %");
  });

  it("sends and receives with attributes of every type", async () => {
    const body = 'line\r\nnext <&> "ü" 😀';
    const sent = await query(service.url, "SendMessage", {
      QueueUrl: `https://sqs.us-east-1.amazonaws.com/123456789012/q`,
      MessageBody: body,
      "MessageAttribute.1.Name": "text",
      "MessageAttribute.1.Value.DataType": "String",
      "MessageAttribute.1.Value.StringValue": "There",
      "MessageAttribute.2.Name": "number",
      "MessageAttribute.2.Value.DataType": "Number.int",
      "MessageAttribute.2.Value.StringValue": "7",
      "MessageAttribute.3.Name": "binary",
      "MessageAttribute.3.Value.DataType": "Binary",
      "MessageAttribute.3.Value.BinaryValue": "AAH+/w==",
      "MessageSystemAttribute.1.Name": "AWSTraceHeader",
      "MessageSystemAttribute.1.Value.DataType": "String",
      "MessageSystemAttribute.1.Value.StringValue": "Root=1",
    });
    expect(sent.status).toBe(200);
    expect(text(sent.body, "MD5OfMessageSystemAttributes")).toMatch(/^[0-9a-f]{32}$/);
    const { body: xml } = await query(service.url, "ReceiveMessage", {
      QueueUrl: "q",
      "AttributeName.1": "All",
      "MessageAttributeName.1": "text",
      "MessageAttributeName.2": "bin.*",
    });
    expect(text(xml, "Body")).toBe(body);
    expect(text(xml, "MessageId")).toBe(text(sent.body, "MessageId"));
    expect(xml).toContain(
      "<MessageAttribute><Name>binary</Name><Value><BinaryValue>AAH+/w==</BinaryValue><DataType>Binary</DataType></Value></MessageAttribute>",
    );
    expect(xml).not.toContain("Number.int");
    expect(xml).toContain("<Attribute><Name>AWSTraceHeader</Name><Value>Root=1</Value></Attribute>");
    const deleted = await query(service.url, "DeleteMessage", {
      QueueUrl: "q",
      ReceiptHandle: text(xml, "ReceiptHandle") ?? "",
    });
    expect(deleted.status).toBe(200);
    expect(service.environment.queues.depth("q").bytes).toBe(0);
  });

  it("takes batches, with numbers in any order and with gaps", async () => {
    const sent = await query(service.url, "SendMessageBatch", {
      QueueUrl: "q",
      "SendMessageBatchRequestEntry.11.Id": "last",
      "SendMessageBatchRequestEntry.11.MessageBody": "b",
      "SendMessageBatchRequestEntry.2.Id": "first",
      "SendMessageBatchRequestEntry.2.MessageBody": "a",
      "SendMessageBatchRequestEntry.2.DelaySeconds": "0",
      "SendMessageBatchRequestEntry.3.Id": "odd",
      "SendMessageBatchRequestEntry.3.MessageBody": "\u0001",
    });
    expect(count(sent.body, "SendMessageBatchResultEntry")).toBe(2);
    expect(sent.body).toMatch(
      /<BatchResultErrorEntry><Id>odd<\/Id><SenderFault>true<\/SenderFault><Code>InvalidMessageContents<\/Code>/,
    );
    const received = await query(service.url, "ReceiveMessage", { QueueUrl: "q", MaxNumberOfMessages: "10" });
    expect(count(received.body, "Message")).toBe(2);
    const handles = [...received.body.matchAll(/<ReceiptHandle>([^<]+)</g)].map((match) => match[1] ?? "");
    const entries = (action: string, more: string) =>
      Object.fromEntries(
        handles.flatMap((handle, index) => [
          [`${action}RequestEntry.${index + 1}.Id`, `e${index}`],
          [`${action}RequestEntry.${index + 1}.ReceiptHandle`, handle],
          ...(more === "" ? [] : [[`${action}RequestEntry.${index + 1}.${more}`, "60"]]),
        ]),
      );
    const changed = await query(service.url, "ChangeMessageVisibilityBatch", {
      QueueUrl: "q",
      ...entries("ChangeMessageVisibilityBatch", "VisibilityTimeout"),
    });
    expect(count(changed.body, "ChangeMessageVisibilityBatchResultEntry")).toBe(2);
    const deleted = await query(service.url, "DeleteMessageBatch", {
      QueueUrl: "q",
      ...entries("DeleteMessageBatch", ""),
    });
    expect(count(deleted.body, "DeleteMessageBatchResultEntry")).toBe(2);
    const empty = await query(service.url, "DeleteMessageBatch", { QueueUrl: "q" });
    expect(text(empty.body, "Code")).toBe("AWS.SimpleQueueService.EmptyBatchRequest");
  });

  it("takes maps with numbers, and without where there is one", async () => {
    await query(service.url, "SetQueueAttributes", {
      QueueUrl: "q",
      "Attribute.Name": "VisibilityTimeout",
      "Attribute.Value": "35",
    });
    await query(service.url, "TagQueue", {
      QueueUrl: "q",
      "Tag.1.Key": "a",
      "Tag.1.Value": "<1>",
      "Tag.2.Key": "b",
      "Tag.2.Value": "",
    });
    const attributes = await query(service.url, "GetQueueAttributes", {
      QueueUrl: "q",
      AttributeName: "VisibilityTimeout",
    });
    expect(attributes.body).toContain(
      "<Attribute><Name>VisibilityTimeout</Name><Value>35</Value></Attribute>",
    );
    const tags = await query(service.url, "ListQueueTags", { QueueUrl: "q" });
    expect(tags.body).toContain(
      "<Tag><Key>a</Key><Value>&lt;1&gt;</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>",
    );
    await query(service.url, "UntagQueue", { QueueUrl: "q", "TagKey.1": "a", "TagKey.2": "b" });
    expect((await query(service.url, "ListQueueTags", { QueueUrl: "q" })).body).not.toContain("<Tag>");
    const permission = await query(service.url, "AddPermission", {
      QueueUrl: "q",
      Label: "l",
      "AWSAccountId.1": "111111111111",
      "ActionName.1": "SendMessage",
    });
    expect(permission.status).toBe(200);
    const listed = await query(service.url, "ListQueues", {});
    expect(count(listed.body, "QueueUrl")).toBe(1);
  });

  it("refuses a number that is none, and a flood of parameters", async () => {
    const odd = await query(service.url, "ReceiveMessage", { QueueUrl: "q", MaxNumberOfMessages: "ten" });
    expect([odd.status, text(odd.body, "Code")]).toEqual([400, "MalformedInput"]);
    const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`a.${index}`, ""]));
    expect((await query(service.url, "ListQueues", many)).status).toBe(400);
    const deep = await query(service.url, "ListQueues", { [`a${".a".repeat(100_000)}`]: "" });
    expect(deep.status).toBe(200);
  });

  it("takes the signed request of an old SDK", async () => {
    const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
    const strict = await startService({ keys: [keys] });
    const { host, hostname } = new URL(strict.url);
    const signer = await signerOf(strict.url, keys);
    const body = new URLSearchParams({
      Action: "CreateQueue",
      QueueName: "old",
      Version: "2012-11-05",
    }).toString();
    const { headers } = await signer.sign({
      method: "POST",
      protocol: "http:",
      hostname,
      path: "/",
      query: {},
      headers: { host, "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      body,
    });
    const answer = await raw(strict.url, { headers, body });
    expect(answer.status).toBe(200);
    expect(text(answer.body, "QueueUrl")).toBe(`${strict.url}/000000000000/old`);
    const changed = await raw(strict.url, { headers, body: body.replace("old", "new") });
    expect([changed.status, text(changed.body, "Code")]).toEqual([403, "SignatureDoesNotMatch"]);
    expect(strict.environment.queues.listQueues()).toEqual(["old"]);
  });

  it("gives what the JSON protocol gives", async () => {
    await query(service.url, "SendMessage", { QueueUrl: "q", MessageBody: "x" });
    const { json } = await call(service.url, "ReceiveMessage", { QueueUrl: "q" });
    expect(json.Messages).toMatchObject([{ Body: "x" }]);
  });
});
