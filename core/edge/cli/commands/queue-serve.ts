import { resolve } from "node:path";
import { z } from "zod";
import { ConfigError, type Environment } from "../../../contracts/index.js";
import { accessKeys, KEY_ID, SECRET } from "../../access-keys.js";
import { type CommandContext, defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { optionalText, port } from "../input.js";

const publicUrl = z
  .string()
  .regex(/^https?:\/\/[^/\s]+$/, "expected the beginning of a URL, such as http://queues.internal:9324")
  .optional();

export const queueServe = defineCommand({
  name: "queue serve",
  summary: "serve the queues to any AWS SDK, over the wire protocol of Amazon SQS",
  details:
    "Prints one line with its URL when it is ready and runs until it is interrupted. Works beside running flows, and\n" +
    `without a project. Set ${KEY_ID} and ${SECRET} to have every request's\n` +
    "signature checked; without them it listens on this machine alone and takes any signature. An acknowledged message is\n" +
    "on the disk; with `--sync none` it survives the death of the process, not that of the machine.",
  options: [
    { flags: "--port <port>", description: "port to listen on; 0 takes a free one (default: 9324)" },
    { flags: "--host <address>", description: "address to listen on (default: 127.0.0.1)" },
    {
      flags: "--data-dir <dir>",
      description: "where the queues are kept (default: the project's dataDir, else .sluice)",
    },
    {
      flags: "--public-url <url>",
      description: "how clients reach it, for queue URLs (default: the Host of each request)",
    },
    {
      flags: "--no-cooldowns",
      description: "no waits of 60 s after deleting or purging a queue, for test suites",
    },
    {
      flags: "--sync <mode>",
      description: "commit: every answer is on the disk; none: faster (default: the project's buffer.sync)",
    },
  ],
  examples: [
    "sluice queue serve",
    "sluice queue serve --port 0 --data-dir /tmp/queues --no-cooldowns --json",
    "AWS_ENDPOINT_URL_SQS=http://127.0.0.1:9324 aws sqs list-queues",
  ],
  input: z.object({
    port: port.default(9324),
    host: z.string().min(1, "expected an address").default("127.0.0.1"),
    dataDir: optionalText,
    publicUrl,
    cooldowns: z.boolean().default(true),
    sync: z.enum(["commit", "none"], "expected commit or none").optional(),
  }),
  async run({ port, host, dataDir, publicUrl, cooldowns, sync }, context) {
    const { shell, output, workspace } = context;
    const keys = accessKeys(shell.env);
    const { startSqsEndpoint } = await import("../../../queue/wire/index.js");
    const { environment, folder } = await openQueues(dataDir, sync, context);
    try {
      const endpoint = await startSqsEndpoint({
        queues: environment.queues,
        clock: shell.clock,
        random: shell.random,
        log: workspace.log,
        host,
        port,
        keys,
        cooldowns,
        ...(publicUrl === undefined ? {} : { publicUrl }),
        ...(folder === undefined ? {} : { dataDir: folder }),
      });
      try {
        output.ready({ url: endpoint.url, dataDir: folder ?? null }, () => `listening on ${endpoint.url}`);
        await aborted(shell.signal);
      } finally {
        await endpoint.close();
      }
    } finally {
      await environment.close();
    }
    return EXIT.done;
  },
});

/** `folder` is undefined where the project keeps its buffer in memory. */
async function openQueues(
  dataDir: string | undefined,
  asked: "commit" | "none" | undefined,
  context: CommandContext,
): Promise<{ readonly environment: Environment; readonly folder: string | undefined }> {
  const { memoryEnvironment, openEnvironment } = await import("../../../store/index.js");
  const { cwd, clock, random } = context.shell;
  const { folder, sync = "commit" } =
    dataDir === undefined ? await projectBuffer(context) : { folder: resolve(cwd, dataDir) };
  if (folder === undefined) return { environment: memoryEnvironment({ clock, random }), folder };
  return {
    environment: await openEnvironment({ dataDir: folder, clock, random, sync: asked ?? sync }),
    folder,
  };
}

async function projectBuffer({ shell, globals, workspace }: CommandContext): Promise<{
  readonly folder: string | undefined;
  readonly sync?: "commit" | "none";
}> {
  try {
    const { dataDir, buffer } = await workspace.projectToLookAt();
    return { folder: buffer.type === "memory" ? undefined : dataDir, sync: buffer.sync };
  } catch (error) {
    const none = error instanceof ConfigError && error.code === "PROJECT_NOT_FOUND";
    // A project that was named must be there.
    if (!none || globals.project !== undefined) throw error;
    return { folder: resolve(shell.cwd, ".sluice") };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener("abort", () => done(), { once: true });
  });
}
