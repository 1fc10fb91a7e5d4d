import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueryParameters } from "../../../../core/queue/wire/query-parameters.js";
import { call, query, startService } from "./service.js";

/** Whatever characters a message may hold. */
const character = fc.oneof(
  fc.constantFrom(
    "\t",
    "\n",
    "\r",
    "&",
    "<",
    "]]>",
    '"',
    "\\",
    "%",
    "+",
    "\u0085",
    "\u2028",
    "\ud7ff",
    "\ue000",
  ),
  fc.string({ unit: "grapheme-composite", minLength: 1, maxLength: 4 }),
);
const allowed = (text: string) => !/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text);
const text = fc
  .array(character, { minLength: 1, maxLength: 30 })
  .map((parts) => parts.join(""))
  .filter(allowed);
const name = fc
  .stringMatching(/^[A-Za-z0-9_-]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9_-])?$/)
  .filter((candidate) => !/^(aws|amazon)\./i.test(candidate) && !candidate.includes(".."));
const attribute = fc.oneof(
  fc.record({ DataType: fc.constantFrom("String", "String.label"), StringValue: text }),
  fc.record({ DataType: fc.constant("Number"), StringValue: fc.integer().map(String) }),
  fc.record({
    DataType: fc.constantFrom("Binary", "Binary.gif"),
    BinaryValue: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  }),
);
const message = fc.record({
  body: text,
  attributes: fc.dictionary(name, attribute, { maxKeys: 10 }),
});

/** The parameters of a send as the query protocol spells them. */
function form(
  body: string,
  attributes: Readonly<Record<string, Record<string, string>>>,
): Record<string, string> {
  const parameters: Record<string, string> = { QueueUrl: "q", MessageBody: body };
  Object.entries(attributes).forEach(([key, value], index) => {
    const prefix = `MessageAttribute.${index + 1}`;
    parameters[`${prefix}.Name`] = key;
    for (const [member, part] of Object.entries(value)) parameters[`${prefix}.Value.${member}`] = part;
  });
  return parameters;
}

/** Elements of an XML answer, unescaped as a parser would. */
function elements(xml: string, element: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, "g"))].map(([, inner = ""]) =>
    inner
      .replaceAll(/\r\n?/g, "\n")
      .replaceAll("&#xD;", "\r")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&"),
  );
}

describe("both protocols", () => {
  it("say the same of every message, whichever it came in and whichever it goes out by", async () => {
    const { url } = await startService();
    await call(url, "CreateQueue", { QueueName: "q" });
    await fc.assert(
      fc.asyncProperty(message, async ({ body, attributes }) => {
        const byForm = await query(url, "SendMessage", form(body, attributes));
        const byJson = await call(url, "SendMessage", {
          QueueUrl: "q",
          MessageBody: body,
          MessageAttributes: attributes,
        });
        expect([byForm.status, byJson.status]).toEqual([200, 200]);
        expect(elements(byForm.body, "MD5OfMessageBody")).toEqual([byJson.json.MD5OfMessageBody]);
        const digest = byJson.json.MD5OfMessageAttributes;
        expect(elements(byForm.body, "MD5OfMessageAttributes")).toEqual(digest === undefined ? [] : [digest]);
        const ask = {
          QueueUrl: "q",
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 0,
          MessageAttributeNames: ["All"],
        };
        const { json } = await call(url, "ReceiveMessage", ask);
        const shown = Object.keys(attributes).length === 0 ? {} : { MessageAttributes: attributes };
        const expected = { Body: body, ...shown };
        expect(json.Messages).toMatchObject([expected, expected]);
        const xml = await query(url, "ReceiveMessage", {
          QueueUrl: "q",
          MaxNumberOfMessages: "10",
          "MessageAttributeName.1": ".*",
        });
        expect(elements(xml.body, "Body")).toEqual([body, body]);
        const values = Object.values(attributes).map((value) => Object.entries(value));
        for (const member of ["StringValue", "BinaryValue", "DataType"]) {
          const own = values.flatMap((parts) =>
            parts.filter(([key]) => key === member).map(([, part]) => part),
          );
          expect(elements(xml.body, member).sort()).toEqual([...own, ...own].sort());
        }
        await call(url, "PurgeQueue", { QueueUrl: "q" });
      }),
      { numRuns: 60 },
    );
  });

  it("never fail on a form, however it is put together", () => {
    const segment = fc.oneof(fc.constantFrom("", "1", "0", "-1", "Name", "Value", "Attribute"), fc.string());
    const key = fc.array(segment, { maxLength: 12 }).map((segments) => segments.join("."));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.string()), { maxLength: 30 }), (pairs) => {
        const parameters = QueryParameters.from(new URLSearchParams(pairs));
        for (const [name] of pairs) {
          expect(() => parameters.text(name)).not.toThrow();
          expect(() => parameters.list("", name.split(".")[0] ?? "")).not.toThrow();
        }
      }),
    );
  });
});
