import type { IncomingMessage } from "node:http";
import { CancelledError, TransientError } from "../../contracts/index.js";
import { wireRefusals } from "./wire-error.js";

/**
 * The longest request that can be right: a message of 1 MiB of which every byte is written as `\u00XX`, as some JSON
 * writers do with all that is not ASCII, and room for its attributes' base64 and the other parameters.
 */
const LONGEST_BYTES = 6 * 1024 * 1024 + 256 * 1024;
/** Of all requests that are still arriving: what clients may make this process hold before one is even verified. */
const MOST_BYTES = 256 * 1024 * 1024;

/** Reads the bodies of requests, each and all together within bounds. */
export class RequestBodies {
  readonly #longest: number;
  readonly #most: number;
  #arriving = 0;

  constructor(longest = LONGEST_BYTES, most = MOST_BYTES) {
    this.#longest = longest;
    this.#most = most;
  }

  /**
   * Rejects with RequestEntityTooLarge, with TransientError TOO_MUCH_AT_ONCE (SDKs try again), or with CancelledError
   * CLIENT_LEFT when the client leaves before the end.
   */
  read(request: IncomingMessage): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (Number(request.headers["content-length"] ?? 0) > this.#longest) {
        reject(wireRefusals.tooLarge(this.#longest));
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      let over = false;
      const end = (): void => {
        over = true;
        this.#arriving -= bytes;
      };
      request.on("data", (chunk: Buffer) => {
        // The rest is read without keeping it: a client that is still sending would not see the answer.
        if (over) return;
        bytes += chunk.length;
        this.#arriving += chunk.length;
        chunks.push(chunk);
        if (bytes <= this.#longest && this.#arriving <= this.#most) return;
        end();
        chunks.length = 0;
        reject(bytes > this.#longest ? wireRefusals.tooLarge(this.#longest) : tooMuchAtOnce());
      });
      request.on("end", () => {
        if (over) return;
        end();
        const [only] = chunks;
        resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
      });
      const left = (): void => {
        // Every request closes; an error costs a stack trace.
        if (over) return;
        end();
        reject(new CancelledError("CLIENT_LEFT", "The client left in the middle of its request."));
      };
      request.on("error", left);
      request.on("close", left);
    });
  }
}

function tooMuchAtOnce(): TransientError {
  return new TransientError("TOO_MUCH_AT_ONCE", "Too many large requests are arriving at once.", {
    fix: "Try again.",
  });
}
