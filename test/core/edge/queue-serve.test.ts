import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import { startSluice } from "../../sluice-process.js";
import { VirtualClock } from "../../virtual-clock.js";
import { folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

interface Serving {
  readonly url: string;
  /** What it printed first. */
  readonly line: string;
  stop(): Promise<Outcome>;
}

/** Runs `queue serve` until its line is printed; `stop` interrupts it. */
async function serve(
  args: readonly string[],
  setting: Omit<Setting, "signal" | "onStdout">,
): Promise<Serving> {
  const interrupt = new AbortController();
  let printed: (text: string) => void = () => undefined;
  const line = new Promise<string>((resolve) => {
    printed = resolve;
  });
  const outcome = runLine(["queue", "serve", "--port", "0", ...args], {
    ...setting,
    signal: interrupt.signal,
    onStdout: printed,
  });
  const first = await Promise.race([
    line,
    outcome.then(({ stderr }) => {
      throw new Error(`it ended: ${stderr}`);
    }),
  ]);
  return {
    url: /http:\/\/[\w.:[\]]+/.exec(first)?.[0] ?? "",
    line: first,
    stop: () => {
      interrupt.abort();
      return outcome;
    },
  };
}

async function withClient<T>(
  url: string,
  work: (client: SQSClient) => Promise<T>,
  secret = "any",
): Promise<T> {
  const credentials = { accessKeyId: "key", secretAccessKey: secret };
  const client = new SQSClient({ endpoint: url, region: "eu-central-1", credentials, maxAttempts: 1 });
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

const list = (url: string, secret?: string) =>
  withClient(url, async (client) => (await client.send(new ListQueuesCommand({}))).QueueUrls, secret);

describe("sluice queue serve", () => {
  it("prints its URL on one line, serves, ends with 0 and keeps what it took", async () => {
    const cwd = folderWith({});
    const first = await serve(["--data-dir", "queues"], { cwd });
    expect(first.line).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\n$/);
    await withClient(first.url, async (client) => {
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "q" }));
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "kept" }));
    });
    expect(await first.stop()).toMatchObject({ code: 0, stdout: first.line, stderr: "" });
    expect(existsSync(join(cwd, "queues/buffer/data.mdb"))).toBe(true);

    const second = await serve(["--data-dir", join(cwd, "queues"), "--json", "--sync", "none"], { cwd });
    expect(JSON.parse(second.line)).toEqual({ url: second.url, dataDir: join(cwd, "queues") });
    expect(second.line.trimEnd()).not.toContain("\n");
    const body = await withClient(second.url, async (client) => {
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: "q" }));
      return Messages?.[0]?.Body;
    });
    expect(body).toBe("kept");
    expect((await second.stop()).code).toBe(0);
  });

  it("serves the project's queues, and ./.sluice where there is no project", async () => {
    const project = folderWith({ "sluice.yaml": `dataDir: buffer-here\n${settings()}` });
    const own = await serve([], { cwd: project });
    expect(await own.stop()).toMatchObject({ code: 0 });
    expect(existsSync(join(project, "buffer-here/buffer/data.mdb"))).toBe(true);

    const bare = folderWith({});
    const fallback = await serve([], { cwd: bare });
    await fallback.stop();
    expect(existsSync(join(bare, ".sluice/buffer/data.mdb"))).toBe(true);

    const missing = await runLine(["queue", "serve", "--project", "nowhere"], { cwd: bare });
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("error[PROJECT_NOT_FOUND]");
  });

  it("answers a long poll before it ends", async () => {
    const clock = new VirtualClock();
    const serving = await serve([], { cwd: folderWith({}), clock });
    await withClient(serving.url, async (client) => {
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "q" }));
      const before = clock.waiting;
      const poll = client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
      for (let turn = 0; clock.waiting === before; turn++) {
        if (turn > 2000) throw new Error("the long poll has not begun");
        await new Promise((resolve) => setImmediate(resolve));
      }
      const stopped = serving.stop();
      expect((await poll).Messages).toBeUndefined();
      expect((await stopped).code).toBe(0);
    });
  });

  it("checks signatures with the keys of the environment, and needs both", async () => {
    const cwd = folderWith({});
    const env = { SLUICE_SQS_ACCESS_KEY_ID: "key", SLUICE_SQS_SECRET_ACCESS_KEY: "right" };
    const serving = await serve([], { cwd, env });
    expect(await list(serving.url, "right")).toBeUndefined();
    await expect(list(serving.url, "wrong")).rejects.toMatchObject({ Code: "SignatureDoesNotMatch" });
    expect((await serving.stop()).stderr).not.toContain("right");
    const half = await runLine(["queue", "serve"], { cwd, env: { SLUICE_SQS_ACCESS_KEY_ID: "key" } });
    expect(half.code).toBe(2);
    expect(half.stderr).toContain(
      "error[SQS_KEY_INCOMPLETE] environment: SLUICE_SQS_SECRET_ACCESS_KEY is not set.",
    );
    const open = await runLine(["queue", "serve", "--host", "0.0.0.0"], { cwd });
    expect([open.code, open.stdout]).toEqual([2, ""]);
    expect(open.stderr).toContain("error[NOT_LOOPBACK]");
  });

  it("has the service's waits unless they are switched off", async () => {
    for (const [args, expected] of [
      [[], "QueueDeletedRecently"],
      [["--no-cooldowns"], undefined],
    ] as const) {
      const serving = await serve([...args], { cwd: folderWith({}) });
      const name = await withClient(serving.url, async (client) => {
        const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "q" }));
        await client.send(new DeleteQueueCommand({ QueueUrl }));
        return client.send(new CreateQueueCommand({ QueueName: "q" })).then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.name : String(error)),
        );
      });
      expect(name).toBe(expected);
      await serving.stop();
    }
  });

  it("says in one sentence that the port is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { code, stderr, stdout } = await runLine(["queue", "serve", "--port", String(port)], {
      cwd: folderWith({}),
    });
    taken.close();
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      `error[PORT_IN_USE] 127.0.0.1:${port}: Port ${port} is in use by another program.\ncause: listen EADDRINUSE: address already in use 127.0.0.1:${port}\nfix: Stop it, or choose another with --port; --port 0 takes a free one.\n`,
    );
  });

  it.each([
    ["--port", "70000"],
    ["--port", "x"],
    ["--sync", "maybe"],
    ["--public-url", "queues"],
  ])("refuses %s %s", async (...args) => {
    const { code, stderr } = await runLine(["queue", "serve", ...args], { cwd: folderWith({}) });
    expect(code).toBe(2);
    expect(stderr).toContain(`error[USAGE] ${args[0]}`);
  });

  it("refuses a damaged data directory instead of serving it", async () => {
    const cwd = folderWith({ "d/buffer/data.mdb": "no LMDB, but long enough for a header of it" });
    writeFileSync(join(cwd, "d/buffer/extent"), "10\n");
    const { code, stderr } = await runLine(["queue", "serve", "--data-dir", "d"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain("error[DATA_DIR_DAMAGED]");
  });

  it.each(["SIGTERM", "SIGINT"] as const)("as a process ends with 0 at %s", async (signal) => {
    const cwd = folderWith({});
    const { child, exit } = startSluice(["queue", "serve", "--port", "0", "--json"], { cwd });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString()));
      child.once("exit", () => reject(new Error("it ended before it was ready")));
    });
    const { url } = JSON.parse(line);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    child.kill(signal);
    expect(await exit).toMatchObject({ code: 0, signal: undefined, stdout: line });
  });
});
