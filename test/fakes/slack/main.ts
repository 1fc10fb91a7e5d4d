/**
 * The Slack fake as a process of its own: `node dist/test/fakes/slack/main.js --help`.
 * Prints one line of JSON when it is ready, `{"url": ..., "env": {"SLACK_API_URL": ..., ...}}`, and stops on SIGTERM or SIGINT.
 */
import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { parseFaultScript } from "./fault-script.js";
import { readWorkspaceFolder } from "./folder.js";
import { generateWorkspace } from "./generate.js";
import type { RateLimits } from "./limits.js";
import { type SlackFakeOptions, startSlackFake } from "./server.js";
import { Workspace } from "./workspace.js";

interface Flags {
  readonly port: number;
  readonly workspace?: string;
  readonly users?: number;
  readonly channels?: number;
  readonly messages?: number;
  readonly days?: number;
  readonly seed: number;
  readonly bench?: number;
  readonly recordBytes?: number;
  readonly faults?: string;
  readonly latency: number;
  readonly rateLimits: RateLimits;
  readonly tokenSeconds?: number;
  readonly tailPages: boolean;
  readonly shortPages: boolean;
  readonly changes: number;
}

const program = new Command("slack-fake")
  .option("--port <n>", "port on 127.0.0.1; 0 takes a free one", whole, 0)
  .option("--workspace <folder>", "serve NDJSON files (folder.ts) instead of a generated workspace")
  .option("--users <n>", "generated users (300)", whole)
  .option("--channels <n>", "generated public channels beside the first (8)", whole)
  .option("--messages <n>", "generated messages of the first channel (5000)", whole)
  .option("--days <n>", "days that the generated messages spread over (30)", whole)
  .option("--seed <n>", "seed of the generated workspace", whole, 1)
  .option(
    "--bench <records>",
    "serve one channel with so many messages from pre-rendered pages, and no other data",
    whole,
  )
  .option("--record-bytes <n>", "JSON of one message of --bench (1000)", whole)
  .option("--faults <file>", "fault script, JSON (fault-script.ts)")
  .option("--latency <ms>", "delay of every answer", whole, 0)
  .option("--rate-limits <mode>", "none, tiers or unlisted", rateLimits, "none" as const)
  .option("--token-seconds <n>", "life of a rotating access token (43200)", whole)
  .option("--tail-pages", "last pages name a further, empty one", false)
  .option("--short-pages", "every third page is shorter than asked", false)
  .option(
    "--changes <n>",
    "every second: so many edits, and as many new messages and late replies, in the first channel",
    whole,
    0,
  );

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

function rateLimits(text: string): RateLimits {
  if (text !== "none" && text !== "tiers" && text !== "unlisted")
    throw new InvalidArgumentError("must be none, tiers or unlisted");
  return text;
}

async function optionsOf(flags: Flags): Promise<SlackFakeOptions> {
  const clock = { now: () => Date.now() };
  const { seed, users, channels, messages, days } = flags;
  const workspace =
    flags.workspace !== undefined
      ? await readWorkspaceFolder(flags.workspace, clock)
      : flags.bench !== undefined
        ? new Workspace(clock)
        : generateWorkspace({ seed, users, channels, messages, days }, clock);
  return {
    clock,
    port: flags.port,
    workspace,
    bench: flags.bench === undefined ? undefined : { records: flags.bench, recordBytes: flags.recordBytes },
    faults:
      flags.faults === undefined
        ? undefined
        : parseFaultScript(JSON.parse(await readFile(flags.faults, "utf8"))),
    latencyMs: flags.latency,
    rateLimits: flags.rateLimits,
    tokenMs: flags.tokenSeconds === undefined ? undefined : flags.tokenSeconds * 1000,
    quirks: { tailPages: flags.tailPages, shortPages: flags.shortPages },
  };
}

const flags = program.parse().opts<Flags>();
const fake = await startSlackFake(await optionsOf(flags));
let round = 0;
const [first] = fake.workspace.channels.keys();
const changing =
  flags.changes > 0 && first !== undefined
    ? setInterval(() => {
        round += 1;
        fake.workspace.editSome(first, flags.changes, flags.seed + round);
        fake.workspace.replySome(first, flags.changes, flags.seed + round);
        for (let n = 0; n < flags.changes; n++) fake.workspace.post(first, { text: `round ${round}, ${n}` });
      }, 1000)
    : undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    clearInterval(changing);
    void fake.close().then(() => process.exit(0));
  });
}
process.stdout.write(`${JSON.stringify({ url: fake.url, env: fake.environment() })}\n`);
