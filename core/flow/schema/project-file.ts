/** sluice.yaml. */
import { z } from "zod";
import { duration, integer, secret, size, text } from "../../contracts/index.js";
import { alarm } from "./alarms.js";
import { count, expecting } from "./words.js";

const RESERVE = "expected a share below 100% such as 20%";

/** `budget` of a connection. */
export const budget = z
  .strictObject(
    {
      reserve: z
        .unknown()
        .transform((value, context): number => {
          const percent = typeof value === "string" ? /^(\d{1,2}(?:\.\d{1,6})?) ?%$/.exec(value) : null;
          if (percent !== null) return Number(percent[1]) / 100;
          context.issues.push({ code: "custom", message: RESERVE, input: value });
          return z.NEVER;
        })
        .meta({ type: "string", pattern: "^\\d{1,2}(\\.\\d+)? ?%$" })
        .prefault("0%")
        .describe(
          "Share of every limit of the account (calls a day, a minute, at a time) that Sluice leaves to other applications; one call is always let through.",
        ),
    },
    expecting("a budget such as { reserve: 20% }"),
  )
  .describe("How much of the account's API limits Sluice may use. For sources.");

const connection = z
  .looseObject(
    {
      connector: text(z.string("expected the name of a connector")).describe(
        "Name of the connector; see connectors/README.md.",
      ),
      budget: budget.optional(),
    },
    expecting("a connection such as { connector: folder, path: out }"),
  )
  .describe("One connection; further keys belong to its connector, see connectors/README.md.");

const buffer = z
  .strictObject(
    {
      type: z
        .enum(["durable", "memory", "sqs"])
        .default("durable")
        .describe(
          "durable keeps messages in dataDir; memory forgets them when the process ends; sqs (Amazon SQS) is not supported yet in this version.",
        ),
      sync: z
        .enum(["commit", "none"], expecting("commit or none"))
        .default("commit")
        .describe(
          "When a message counts as stored. commit: after fsync, so it survives power loss; many senders share one. none: once the operating system has it, so it survives the death of the process but not of the machine.",
        ),
      visibilityTimeout: duration({ min: "1s", max: "12h" })
        .prefault("5m")
        .describe("How long a received message stays hidden; kept up by heartbeats while a delivery runs."),
      maxReceiveCount: count("expected a number of receives from 1 to 1000", 1, 1000)
        .default(10)
        .describe(
          "For buffer.type sqs: receives after which Amazon SQS moves a message to the dead-letter queue. With a buffer on this machine a flow dead-letters by reason, never by count; queues of your own get a RedrivePolicy through the SQS endpoint.",
        ),
      retention: duration({ min: "1m", max: "14d" })
        .prefault("14d")
        .describe("How long an undelivered message is kept."),
      messageSize: size({ min: "1KiB", max: "1MiB" })
        .prefault("256KiB")
        .describe("Most bytes of one message."),
      highWater: size({ min: "1MiB" })
        .prefault("1GiB")
        .describe("Reading pauses while a sink's queue holds more bytes than this."),
      alarms: z
        .array(alarm, expecting("a list of alarms such as [{ queue: '*', oldest: 1h }]"))
        .default([])
        .describe(
          "Thresholds on queues, looked at by `sluice status`, which exits with 4 while one is exceeded, at the end of each run, and by the daemon every 15 seconds.",
        ),
    },
    expecting("buffer settings such as { type: durable }"),
  )
  .describe("The durable buffer between source and sinks.");

const store = z
  .strictObject(
    {
      type: z
        .enum(["durable", "postgres"])
        .default("durable")
        .describe("durable keeps state in dataDir; postgres is not supported yet in this version."),
      connection: text(z.string()).optional().describe("For postgres: name of the connection."),
    },
    expecting("store settings such as { type: durable }"),
  )
  .describe("Where runs, checkpoints and tokens are kept.");

const server = z
  .strictObject(
    {
      host: text(z.string())
        .prefault("127.0.0.1")
        .describe(
          "Address to listen on; any other than one of this machine alone needs the access keys of the SQS endpoint.",
        ),
      port: integer({ min: 0, max: 65_535 }).prefault(8080).describe("Port of the HTTP API. Not in use yet."),
      apiKeys: z
        .array(secret(), expecting("a list of keys"))
        .optional()
        .describe("Keys that callers of the HTTP API present. Not in use yet."),
      sqsPort: integer({ min: 0, max: 65_535 })
        .prefault(9324)
        .describe("Port of the daemon's SQS endpoint; 0 takes a free one. `--sqs-port` overrides it."),
    },
    expecting("server settings such as { sqsPort: 9324 }"),
  )
  .describe("What the daemon listens on.");

export const projectFile = z
  .strictObject(
    {
      dataDir: text(z.string("expected a folder").min(1, "expected a folder"))
        .prefault(".sluice")
        .describe("Folder of the buffer and the store, relative to sluice.yaml."),
      flows: text(z.string("expected a folder").min(1, "expected a folder"))
        .optional()
        .describe(
          "Folder of the flow files, relative to sluice.yaml; default flows, or beside sluice.yaml where there is none.",
        ),
      connections: z
        .record(z.string(), connection, expecting("connections by name"))
        .default({})
        .describe("The accounts and stores that flows use, by name."),
      buffer: buffer.prefault({}),
      store: store.prefault({}),
      server: server.prefault({}),
    },
    expecting("settings: connections, dataDir, buffer, ..."),
  )
  .describe("sluice.yaml: the connections of a project and where its data is kept.");

export type ProjectFile = z.output<typeof projectFile>;
