import { describe, expect, it } from "vitest";
import type { MessageAttributes } from "../../../../core/contracts/index.js";
import { attributesMd5, md5 } from "../../../../core/queue/wire/digest.js";
import { call, startService } from "./service.js";

/** Recorded from the service. */
const RECORDED: readonly (readonly [name: string, attributes: MessageAttributes, md5: string])[] = [
  ["one text", { Hello: "There" }, "a311262e065454b75da111d535b8dacd"],
  [
    "three texts, sorted by name",
    { "Help.Me": "Me", Hello: "There", General: "Kenobi" },
    "4c360f3fdafd970e05fae2f149d997f5",
  ],
  [
    "a number",
    { timestamp: { dataType: "Number", value: "1493147359900" } },
    "235c5c510d26fb653d073faed50ae77c",
  ],
  [
    "binary",
    {
      attr1: {
        dataType: "Binary",
        value: Buffer.from("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"),
      },
    },
    "8cbe4db156db8a94db8b801b7addb984",
  ],
  [
    "the trace header",
    {
      AWSTraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    },
    "5ae4d5d7636402d80f4eb6d213245a88",
  ],
];

describe("digests", () => {
  it.each(RECORDED)("of %s", (_name, attributes, expected) => {
    expect(attributesMd5(Object.entries(attributes))).toBe(expected);
  });

  it("of a body", () => {
    expect(md5("message")).toBe("78e731027d8fd50ed642340b7c9a63b3");
  });

  it("of nothing are none", () => {
    expect(attributesMd5([])).toBeUndefined();
  });

  it("go over the wire: of the body, the attributes and the system attributes apart", async () => {
    const { url } = await startService();
    await call(url, "CreateQueue", { QueueName: "q" });
    const { json } = await call(url, "SendMessage", {
      QueueUrl: "q",
      MessageBody: "message",
      MessageAttributes: { timestamp: { DataType: "Number", StringValue: "1493147359900" } },
      MessageSystemAttributes: {
        AWSTraceHeader: {
          DataType: "String",
          StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        },
      },
    });
    expect(json).toEqual({
      MessageId: expect.any(String),
      MD5OfMessageBody: "78e731027d8fd50ed642340b7c9a63b3",
      MD5OfMessageAttributes: "235c5c510d26fb653d073faed50ae77c",
      MD5OfMessageSystemAttributes: "5ae4d5d7636402d80f4eb6d213245a88",
    });
    const plain = await call(url, "SendMessage", { QueueUrl: "q", MessageBody: "message" });
    expect(Object.keys(plain.json).sort()).toEqual(["MD5OfMessageBody", "MessageId"]);
  });
});
