import { connect, type Socket } from "node:net";

const HEAD_END = "\r\n\r\n";
/** Every answer of ours has one: node:http would send chunks only where the length is not known. */
const LENGTH = /^content-length: (\d+)\r$/im;
/** `HTTP/1.1 200 OK`. */
const STATUS_AT = 9;
/** An entry that was refused. Quotes inside a message's body are escaped, so that no body looks like it. */
const FAILED = '"Failed":[{';
const NOTHING = Buffer.alloc(0);
const HANDLE = '"ReceiptHandle":"';

/**
 * One keep-alive connection of a load generator, one request at a time on it. The requests are texts on a bare socket:
 * a client of node:http spends more on each than the canned server does, and would measure itself.
 */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = NOTHING;
  #answer: { readonly resolve: (text: string) => void; readonly reject: (error: Error) => void } | undefined;
  #broken: Error | undefined;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (chunk) => this.#take(chunk));
    this.#socket.on("error", (error) => this.#break(error));
    this.#socket.on("close", () => this.#break(new Error("the server cut the connection")));
  }

  /**
   * The JSON text of the answer. `body`: JSON text, all ASCII. Rejects unless the answer is a 200 without refused
   * entries, and when the connection breaks.
   */
  async call(action: string, body: string): Promise<string> {
    const answer = await this.#exchange(
      `POST / HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/x-amz-json-1.0\r\n` +
        `X-Amz-Target: AmazonSQS.${action}\r\nContent-Length: ${body.length}${HEAD_END}${body}`,
    );
    const status = answer.slice(STATUS_AT, STATUS_AT + 3);
    const text = answer.slice(answer.indexOf(HEAD_END) + HEAD_END.length);
    if (status !== "200" || text.includes(FAILED)) throw new Error(`${action}: ${status} ${text}`);
    return text;
  }

  close(): void {
    this.#socket.destroy();
  }

  #exchange(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      if (this.#answer !== undefined) return reject(new Error("the last request has no answer yet"));
      this.#answer = { resolve, reject };
      this.#socket.write(request, "latin1");
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const bodyAt = headEnd + HEAD_END.length;
    const length = LENGTH.exec(this.#received.toString("latin1", 0, bodyAt))?.[1];
    const missing = bodyAt + Number(length) - this.#received.length;
    if (missing > 0) return;
    const answer = this.#answer;
    if (missing !== 0 || answer === undefined) {
      this.#break(new Error("what the server sent is not one answer with its length"));
      return;
    }
    const text = this.#received.toString("latin1");
    this.#received = NOTHING;
    this.#answer = undefined;
    answer.resolve(text);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    this.#answer?.reject(this.#broken);
    this.#answer = undefined;
    this.#socket.destroy();
  }
}

/** The receipt handles in the text of a ReceiveMessage's answer, cut out: parsing the bodies would cost far more. */
export function receiptHandles(text: string): string[] {
  const handles: string[] = [];
  for (let at = text.indexOf(HANDLE); at >= 0; at = text.indexOf(HANDLE, at)) {
    at += HANDLE.length;
    handles.push(text.slice(at, text.indexOf('"', at)));
  }
  return handles;
}
