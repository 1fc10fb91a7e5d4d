import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  AuthError,
  CancelledError,
  type Clock,
  type Log,
  type Queues,
  type Random,
} from "../../contracts/index.js";
import type { Call } from "./action.js";
import { DEFAULT_REGION } from "./address.js";
import type { HttpAnswer } from "./http-answer.js";
import { jsonError, runJson } from "./json-protocol.js";
import type { OpenCalls } from "./open-calls.js";
import { type MessageBodies, PayloadBucket, payloadAddress } from "./payload-bucket.js";
import type { PayloadFiles } from "./payload-files.js";
import { NO_OPERATION, queryError, runQuery } from "./query-protocol.js";
import { RequestBodies } from "./request-bodies.js";
import { type AccessKey, SignatureVerifier, signedRegion } from "./signature.js";
import { wireErrorOf } from "./wire-error.js";

export interface FrontOptions {
  readonly queues: Queues;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly keys: readonly AccessKey[];
  readonly cooldowns: boolean;
  readonly account: string;
  readonly ownUrl: string;
  readonly files: PayloadFiles | undefined;
  readonly bodies: MessageBodies;
  readonly publicUrl?: string;
}

/** One request in, one answer out. */
export class Front {
  readonly #options: FrontOptions;
  readonly #calls: OpenCalls;
  /** Undefined where no keys are configured. */
  readonly #verifier: SignatureVerifier | undefined;
  readonly #bucket: PayloadBucket;
  readonly #requestBodies = new RequestBodies();
  #answering = 0;
  #wakeIdle: () => void = () => undefined;

  constructor(options: FrontOptions, calls: OpenCalls) {
    const { keys, clock, log, files, bodies } = options;
    this.#options = options;
    this.#calls = calls;
    this.#verifier = keys.length === 0 ? undefined : new SignatureVerifier(keys, clock);
    this.#bucket = new PayloadBucket({ files, bodies, verifier: this.#verifier, log });
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#answering += 1;
    await this.#answer(request, response);
    this.#answering -= 1;
    if (this.#answering === 0) this.#wakeIdle();
  }

  /** Resolves when nothing is being answered: a client that left does not end what was begun for it. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeIdle = resolve;
      if (this.#answering === 0) resolve();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = this.#options.random.uuid();
    if (request.url === "/health") return this.#send(response, id, HEALTHY);
    if (PayloadBucket.takes(request)) return this.#bucket.answer(request, response, id);
    try {
      this.#send(response, id, await this.#run(request, response, id));
    } catch (error) {
      if (error instanceof CancelledError && error.code === "CLIENT_LEFT") return;
      const wireError = wireErrorOf(error);
      if (wireError.fault === "Receiver")
        this.#options.log.error("a request could not be served", { requestId: id, error: String(error) });
      this.#send(response, id, isQuery(request) ? queryError(wireError, id) : jsonError(wireError));
    }
  }

  #send(response: ServerResponse, id: string, { status, headers, body }: HttpAnswer): void {
    if (response.destroyed) return;
    const bytes = Buffer.byteLength(body);
    const sent = [...headers, "x-amzn-RequestId", id, "Content-Length", String(bytes)];
    if (this.#calls.closing) sent.push("Connection", "close");
    response.writeHead(status, sent);
    // A text of as many bytes as characters is ASCII: node copies it, where it would encode UTF-8.
    response.end(body, bytes === body.length ? "latin1" : "utf8");
  }

  async #run(request: IncomingMessage, response: ServerResponse, id: string): Promise<HttpAnswer> {
    const { url: target = "/", headers } = request;
    this.#refuseBrowsers(request);
    const body = await this.#requestBodies.read(request);
    this.#verify(request, target, body);
    const call = this.#call(request, response);
    const action = headers["x-amz-target"];
    if (typeof action === "string") return runJson(action, body, call);
    const question = target.indexOf("?");
    const path = question < 0 ? target : target.slice(0, question);
    const form = new URLSearchParams(question < 0 ? "" : target.slice(question + 1));
    if (request.method === "GET") return form.has("Action") ? runQuery(form, path, call, id) : NO_OPERATION;
    if (request.method !== "POST") return NO_OPERATION;
    if (isQuery(request))
      for (const [name, value] of new URLSearchParams(body.toString("utf8"))) form.set(name, value);
    return runQuery(form, path, call, id);
  }

  /**
   * Without keys nothing else keeps a page in the user's browser from sending forms to this port (it says its origin
   * then) or from naming a query string as the source of an image (browsers say that it is another site's).
   */
  #refuseBrowsers({ headers }: IncomingMessage): void {
    const site = headers["sec-fetch-site"] ?? "none";
    if (this.#verifier === undefined && (headers.origin !== undefined || site !== "none"))
      throw new AuthError(
        "AccessDenied",
        "Requests of web pages are refused while no access keys are configured.",
      );
  }

  #verify(request: IncomingMessage, target: string, body: Buffer): void {
    this.#verifier?.verify({
      method: request.method ?? "",
      target,
      rawHeaders: request.rawHeaders,
      service: "sqs",
      payloadHash: hash("sha256", body, "hex"),
      mustSign: ["x-amz-target"],
    });
  }

  #call(request: IncomingMessage, response: ServerResponse): Call {
    const { queues, cooldowns, account } = this.#options;
    const trace = request.headers["x-amzn-trace-id"];
    let signal: AbortSignal | undefined;
    return {
      queues,
      place: {
        account,
        region: signedRegion(request.headers.authorization) ?? DEFAULT_REGION,
        base: this.#base(request.headers.host),
      },
      cooldown: cooldowns,
      traceId: typeof trace === "string" && trace !== "" ? trace : undefined,
      signal: () => {
        signal ??= this.#calls.signalFor(response);
        return signal;
      },
      clientLeft: () => response.destroyed,
      payloadOf: payloadAddress,
    };
  }

  #base(host: string | undefined): string {
    const { publicUrl, ownUrl } = this.#options;
    if (publicUrl !== undefined) return publicUrl;
    return host !== undefined && HOST.test(host) ? `http://${host}` : ownUrl;
  }
}

/** Which protocol an answer must be in: JSON clients send a target or say JSON, all others read XML. */
function isQuery({ headers }: IncomingMessage): boolean {
  return headers["x-amz-target"] === undefined && !(headers["content-type"] ?? "").includes("json");
}

const HEALTHY: HttpAnswer = {
  status: 200,
  headers: ["Content-Type", "application/json"],
  body: '{"status":"ok"}\n',
};

const HOST = /^[A-Za-z0-9._[\]:-]+$/;
