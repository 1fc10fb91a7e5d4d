import { Agent, request } from "node:http";

export interface SqsAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * The JSON protocol of SQS over keep-alive connections of node:http, as lean as it goes: no SDK (which spends more on a
 * request than the server does), no signature. One request at a time on a connection; a client opens as many as it is
 * asked for at once.
 */
export class SqsClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #host: string;
  readonly #port: string;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = port;
  }

  /** `body`: JSON text. Rejects when the connection breaks; any HTTP status is an answer. */
  call(action: string, body: string): Promise<SqsAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `AmazonSQS.${action}`,
        "content-length": Buffer.byteLength(body),
      };
      const sent = request(
        { host: this.#host, port: this.#port, method: "POST", path: "/", agent: this.#agent, headers },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("end", () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          );
          answer.on("error", reject);
          // A connection that breaks in the middle of an answer ends it without "end".
          answer.on("aborted", () => reject(new Error("the answer was cut short")));
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What is read of an answer; absent members stay undefined. */
export interface SqsDocument {
  readonly QueueUrl?: string;
  readonly Messages?: readonly SqsMessage[];
  readonly Successful?: readonly {
    readonly Id: string;
    readonly MessageId?: string;
    readonly SequenceNumber?: string;
  }[];
  readonly Failed?: readonly { readonly Id: string; readonly Code: string; readonly Message?: string }[];
  readonly Attributes?: Readonly<Record<string, string>>;
}

export interface SqsMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly Attributes?: Readonly<Record<string, string>>;
}

/** The document of an answer that must have succeeded. */
export function documentOf(action: string, { status, text }: SqsAnswer): SqsDocument {
  if (status !== 200) throw new Error(`${action}: ${status} ${text}`);
  const document: SqsDocument = JSON.parse(text);
  if (document.Failed !== undefined && document.Failed.length > 0) throw new Error(`${action}: ${text}`);
  return document;
}
