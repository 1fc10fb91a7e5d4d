import { type QueueServer, startQueueServer } from "../../bench/queue/queue-server.js";
import { SqsClient, type SqsDocument } from "../../bench/queue/sqs-client.js";

/** The server died before the answer came: the request may have been carried out or not. */
export const CUT = Symbol("cut");

interface Life {
  readonly number: number;
  readonly server: Promise<QueueServer>;
  /** Undefined: killed before it listened. */
  readonly client: Promise<SqsClient | undefined>;
}

/** `sluice queue serve`, killed and started again over one data directory, behind one face for its clients. */
export class Served {
  readonly #dataDir: string;
  #kills = 0;
  #life: Life;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#life = this.#begin(Promise.resolve());
  }

  get kills(): number {
    return this.#kills;
  }

  /** Resolves when the present life answers; rejects when it ended although nobody killed it. */
  async listening(): Promise<void> {
    await this.#life.client;
  }

  /** SIGKILL, now, and the next life as soon as the process is gone. */
  async kill(): Promise<void> {
    const { server, client } = this.#life;
    this.#kills += 1;
    const gone = this.#end(await server, "SIGKILL", client);
    this.#life = this.#begin(gone);
    await gone;
  }

  /** As an operator would; nothing may be asked of it any more. */
  async stop(): Promise<void> {
    const { server, client } = this.#life;
    await client;
    await this.#end(await server, "SIGTERM", client);
  }

  /** The answer to a request that the server has no reason to refuse, or CUT. */
  async call(action: string, input: object): Promise<SqsDocument | typeof CUT> {
    const { number, client } = await this.#alive();
    try {
      const { status, text } = await client.call(action, JSON.stringify(input));
      if (status !== 200) throw new RangeError(`${action} was answered with ${status} ${text}`);
      const document: SqsDocument = JSON.parse(text);
      return document;
    } catch (error) {
      if (number === this.#kills || error instanceof RangeError) throw error;
      return CUT;
    }
  }

  async #alive(): Promise<{ readonly number: number; readonly client: SqsClient }> {
    for (;;) {
      const { number, client } = this.#life;
      const ready = await client;
      if (ready !== undefined && number === this.#life.number) return { number, client: ready };
    }
  }

  #begin(before: Promise<void>): Life {
    const number = this.#kills;
    const server = before.then(() => startQueueServer({ dataDir: this.#dataDir }));
    const client = server
      .then(({ listening }) => listening)
      .then(
        (url) => new SqsClient(url),
        (error) => {
          if (number === this.#kills) throw error;
          return undefined;
        },
      );
    return { number, server, client };
  }

  async #end(server: QueueServer, signal: "SIGKILL" | "SIGTERM", client: Life["client"]): Promise<void> {
    server.kill(signal);
    const exit = await server.exit;
    const expected = signal === "SIGKILL" ? exit.signal === signal : exit.code === 0;
    if (!expected)
      throw new Error(`the server ended with ${exit.code ?? exit.signal} on ${signal}: ${exit.stderr}`);
    (await client)?.close();
  }
}
