import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { LoadConnection, receiptHandles } from "./load-connection.js";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A connection to a server that answers everything alike. */
async function connected(answer: (response: ServerResponse) => void): Promise<LoadConnection> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => answer(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const connection = new LoadConnection(`http://127.0.0.1:${address.port}`);
  cleanups.push(() => {
    connection.close();
    server.close();
  });
  return connection;
}

function says(status: number, text: string): (response: ServerResponse) => void {
  return (response) => response.writeHead(status, { "Content-Length": text.length }).end(text);
}

describe("a connection of the load generator", () => {
  it("gives the text of each answer, in whatever pieces it comes", async () => {
    const connection = await connected((response) => {
      response.writeHead(200, { "Content-Length": 4 }).write("{ ");
      setTimeout(() => response.end(" }"), 5);
    });
    expect(await connection.call("ReceiveMessage", "{}")).toBe("{  }");
    expect(await connection.call("ReceiveMessage", "{}")).toBe("{  }");
  });

  it.each([
    ["an answer that is no 200", says(500, "no"), "500 no"],
    ["a refused entry", says(200, '{"Failed":[{"Id":"1"}]}'), "Failed"],
    [
      "an answer without its length",
      (response: ServerResponse) => {
        response.write("{");
        response.end("}");
      },
      "its length",
    ],
    [
      "a connection cut in an answer",
      (response: ServerResponse) => {
        response.writeHead(200, { "Content-Length": 9 }).write("{");
        setTimeout(() => response.destroy(), 5);
      },
      "cut",
    ],
  ])("fails on %s", async (_name, answer, message) => {
    const connection = await connected(answer);
    await expect(connection.call("SendMessageBatch", "{}")).rejects.toThrow(message);
  });

  it("fails where nobody listens", async () => {
    const connection = new LoadConnection("http://127.0.0.1:1");
    await expect(connection.call("SendMessageBatch", "{}")).rejects.toThrow("ECONNREFUSED");
  });
});

it("receipt handles are those of the answer, not those that a body speaks of", () => {
  const Messages = [{ ReceiptHandle: "a", Body: '{"ReceiptHandle":"x"}' }, { ReceiptHandle: "b" }];
  expect(receiptHandles(JSON.stringify({ Messages }))).toEqual(["a", "b"]);
  expect(receiptHandles("{}")).toEqual([]);
});
