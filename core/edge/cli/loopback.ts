import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AuthError, ConfigError, Secret } from "../../contracts/index.js";

const PATH = "/callback";

/** What the browser brought back. */
export interface Redirect {
  readonly code: Secret;
  /** Shown to the person in the browser, once it is known how the sign-in ended. */
  answer(isGood: boolean, sentence: string): Promise<void>;
}

/**
 * Waits on 127.0.0.1 for the one redirect that ends a sign-in (RFC 8252, 7.3). Requests that do not carry its state,
 * from a stale tab or from a page that guesses ports, are refused and waited past.
 */
export class Loopback {
  readonly #server: Server;
  readonly #host: string;
  #arrived: (outcome: Redirect | AuthError) => void = () => undefined;
  #state: Secret | undefined;
  readonly #onRefused: (reason: string) => void;

  private constructor(host: string, onRefused: (reason: string) => void) {
    this.#host = host;
    this.#onRefused = onRefused;
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  /** `host`: as the redirect URL names this machine. `port` 0: any. ConfigError CONNECT_PORT for one that is taken. */
  static async listen(options: {
    readonly host: string;
    readonly port: number;
    readonly onRefused: (reason: string) => void;
  }): Promise<Loopback> {
    const { host, port } = options;
    const loopback = new Loopback(host, options.onRefused);
    const server = loopback.#server;
    server.listen({ host: "127.0.0.1", port, exclusive: true });
    try {
      await once(server, "listening");
    } catch (error) {
      throw new ConfigError("CONNECT_PORT", `port ${port} of this machine cannot be listened on`, {
        place: "--port",
        fix: "Give another --port, and register the redirect URL with that port too.",
        cause: error,
      });
    }
    return loopback;
  }

  get redirectUri(): string {
    return `http://${this.#host}:${this.#port}${PATH}`;
  }

  get #port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Resolves to the redirect with this state; AuthError CONNECT_REFUSED where it says that the person did not agree. */
  async redirect(state: Secret, signal: AbortSignal): Promise<Redirect> {
    this.#state = state;
    const outcome = await new Promise<Redirect | AuthError>((resolve, reject) => {
      this.#arrived = resolve;
      const onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
    if (outcome instanceof AuthError) throw outcome;
    return outcome;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const url = new URL(request.url ?? "/", this.redirectUri);
    const refusal = this.#refusal(request, url);
    if (refusal === undefined) {
      this.#take(url.searchParams, response);
      return;
    }
    const [status, reason] = refusal;
    // Browsers ask for an icon, too.
    if (status !== 404) this.#onRefused(reason);
    void show(response, status, reason);
  }

  /** Why a request is not the redirect that is waited for. */
  #refusal(request: IncomingMessage, url: URL): readonly [number, string] | undefined {
    // Another name for this machine: a page elsewhere that had its own name resolve to 127.0.0.1.
    const names = ["127.0.0.1", "localhost"].map((name) => `${name}:${this.#port}`);
    if (!names.includes(request.headers.host ?? "")) return [403, "That is not this machine's name."];
    if (request.method !== "GET" || url.pathname !== PATH) return [404, "There is nothing here."];
    const state = url.searchParams.get("state") ?? "";
    if (this.#state !== undefined && equal(state, this.#state.open())) return undefined;
    return [400, "This is not the sign-in that sluice waits for. Use the page it has opened last."];
  }

  #take(answer: URLSearchParams, response: ServerResponse): void {
    // A code works once: what comes again with this state is not for us.
    this.#state = undefined;
    const code = answer.get("code");
    if (code !== null && code !== "" && !answer.has("error")) {
      this.#arrived({
        code: new Secret(code),
        answer: (isGood, sentence) => show(response, isGood ? 200 : 500, sentence),
      });
      return;
    }
    const error = answer.get("error") ?? "the redirect carries no code";
    const description = answer.get("error_description");
    const reason = `${error}${description === null ? "" : `: ${description}`}`.slice(0, 300);
    const refused = new AuthError("CONNECT_REFUSED", `the account did not agree: ${reason}`, {
      fix: "Run the command again, and agree; or ask the account's administrator to allow the app.",
    });
    void show(response, 200, "The account did not let sluice in. See the terminal.").then(() =>
      this.#arrived(refused),
    );
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Resolves when the page has left, or the browser is gone. */
function show(response: ServerResponse, status: number, sentence: string): Promise<void> {
  const text = sentence.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'",
    // The address of this page holds the code.
    "referrer-policy": "no-referrer",
    connection: "close",
  });
  return new Promise((resolve) => {
    // The browser may have been closed meanwhile.
    if (response.closed) return resolve();
    for (const event of ["finish", "close"]) response.once(event, resolve);
    response.end(`<!doctype html><title>Sluice</title><p>${text}</p>\n`);
  });
}
