import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Answer } from "./answer.js";
import type { Fault } from "./fault-script.js";

const pack = promisify(gzip);
/** Below this a gzip answer is larger than it is worth. */
const GZIP_FROM_BYTES = 1024;

/** Sends an answer, packed where the client takes it, cut or dripping where the fault says so. Resolves to the body bytes sent. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  fault: Fault | undefined,
): Promise<number> {
  let body = answer.body;
  const headers: Record<string, string | number> = { ...answer.headers };
  let length = body.reduce((sum, piece) => sum + piece.length, 0);
  const accepts = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  if (answer.compressible && accepts && length >= GZIP_FROM_BYTES) {
    const packed = await pack(body.length === 1 && body[0] ? body[0] : Buffer.concat(body), { level: 1 });
    body = [packed];
    length = packed.length;
    headers["content-encoding"] = "gzip";
    headers.vary = "Accept-Encoding";
  }
  if (answer.status !== 304 && answer.status !== 204) headers["content-length"] = length;
  if (request.method === "HEAD") body = [];
  if (fault?.kind === "cutBody") {
    const cut = Math.min(
      Math.max(0, length - 1),
      Math.floor(fault.bytes ?? length * (fault.fraction ?? 0.5)),
    );
    response.writeHead(answer.status, headers);
    response.write(Buffer.concat(body).subarray(0, cut), () => response.destroy());
    if (cut === 0) response.flushHeaders();
    return cut;
  }
  if (fault?.kind === "trickle") {
    response.writeHead(answer.status, headers);
    return trickle(response, Buffer.concat(body), fault.chunkBytes, fault.everyMs);
  }
  response.writeHead(answer.status, headers);
  response.cork();
  for (const piece of body) response.write(piece);
  response.end();
  response.uncork();
  return length;
}

async function trickle(
  response: ServerResponse,
  body: Buffer,
  chunkBytes: number,
  everyMs: number,
): Promise<number> {
  for (let at = 0; at < body.length; at += chunkBytes) {
    if (response.destroyed) return at;
    response.write(body.subarray(at, at + chunkBytes));
    await pause(everyMs);
  }
  response.end();
  return body.length;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
