import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers one request; may leave it open, cut it, or destroy the socket. */
export type Script = (seen: Seen, response: ServerResponse) => void | Promise<void>;

export interface ScriptedServer {
  readonly url: string;
  /** Requests so far, in order. */
  readonly seen: Seen[];
  /** Answers of the requests to come, in order; the last one stays for all that follow. */
  script(...steps: Script[]): void;
  close(): Promise<void>;
}

/** A server on 127.0.0.1 that does exactly what the test says. */
export async function startScriptedServer(...steps: Script[]): Promise<ScriptedServer> {
  let script = [...steps];
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const entry = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      seen.push(entry);
      const step = script.length > 1 ? script.shift() : script[0];
      if (step === undefined) response.writeHead(599).end("no script");
      else await step(entry, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    script: (...next) => {
      script = [...next];
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** JSON with this status. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Script {
  return (_seen, response) => {
    response.writeHead(status, { "content-type": "application/json;charset=UTF-8", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

export function html(status = 200): Script {
  return (_seen, response) => {
    response.writeHead(status, { "content-type": "text/html" });
    response.end("<html><title>Down for maintenance</title></html>");
  };
}

/** Announces more than it sends, then drops the connection. */
export function cutBody(): Script {
  return (_seen, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"records":[');
    setImmediate(() => response.destroy());
  };
}

export function reset(): Script {
  return (_seen, response) => {
    response.socket?.resetAndDestroy();
  };
}

/** Never answers. */
export function silence(): Script {
  return () => undefined;
}
