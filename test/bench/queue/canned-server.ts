import { createServer } from "node:http";
import { BATCH, messageBody } from "./message-body.js";

/**
 * The bare loop: the same HTTP server with no queue behind it. It reads each request to its end and answers with a text
 * made beforehand, of the size and form that `sluice queue serve` answers with; it parses nothing and keeps nothing.
 * Prints its URL.
 */
const id = (index: number) => `a1b2c3d4-0000-4000-8000-${String(index).padStart(12, "0")}`;
const digits = "0123456789abcdef".repeat(2);
const each = <T>(make: (index: number) => T): T[] => Array.from({ length: BATCH }, (_, index) => make(index));
const answers = new Map([
  [
    "AmazonSQS.SendMessageBatch",
    JSON.stringify({
      Successful: each((index) => ({ Id: String(index), MessageId: id(index), MD5OfMessageBody: digits })),
      Failed: [],
    }),
  ],
  [
    "AmazonSQS.ReceiveMessage",
    JSON.stringify({
      Messages: each((index) => ({
        MessageId: id(index),
        ReceiptHandle: digits.repeat(2),
        MD5OfBody: digits,
        Body: messageBody(index),
      })),
    }),
  ],
  [
    "AmazonSQS.DeleteMessageBatch",
    JSON.stringify({ Successful: each((index) => ({ Id: String(index) })), Failed: [] }),
  ],
]);

const server = createServer({ noDelay: true }, (request, response) => {
  request.resume();
  request.on("end", () => {
    const answer = answers.get(String(request.headers["x-amz-target"])) ?? "{}";
    response.writeHead(200, {
      "Content-Type": "application/x-amz-json-1.0",
      "x-amzn-RequestId": id(0),
      "Content-Length": Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});
server.listen({ host: "127.0.0.1", port: 0 }, () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${address.port}` })}\n`);
});
