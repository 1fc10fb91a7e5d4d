import { ListQueuesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import type { SluiceProcess } from "../sluice-process.js";
import { landedIds, liveIds, ScratchProject, struck } from "./scratch-project.js";

// The daemon as a process, against a Salesforce of this machine: it loads, serves, stops, and is killed.

const HELD_MS = 100_000;
const PATIENCE_MS = 60_000;

const jsonl = (path: string) => `{ connection: files, path: ${path}, format: jsonl, compression: none }`;
const EVERY_SECOND = "trigger: { type: schedule, every: 1s }";

interface Ready {
  readonly url: string;
  readonly dataDir: string;
  readonly flows: Readonly<Record<string, number>>;
}

interface Daemon extends SluiceProcess {
  readonly ready: Ready;
  /** What it has logged so far. */
  log(): readonly Record<string, unknown>[];
}

/** Waits until the daemon has logged this. */
function logged(running: Daemon, words: string): Promise<void> {
  return until(() => running.log().some(({ message }) => message === words), running);
}

/** Its lines about the ends of a flow's runs. */
function ended(running: Daemon, name: string): readonly Record<string, unknown>[] {
  return running.log().filter(({ flow, message }) => flow === name && message === "run ended");
}

/** Waits for what another process brings about. */
async function until(holds: () => boolean | Promise<boolean>, { exit }: SluiceProcess): Promise<void> {
  let last: string | undefined;
  void exit.then(({ stderr }) => {
    last = stderr;
  });
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    // Before the test's own time is over, which would leave the daemon behind.
    if (performance.now() > deadline) throw new Error("the daemon did not do it in time");
    if (last !== undefined) throw new Error(`the daemon ended before: ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface ListedRun {
  readonly flow: string;
  readonly status: string;
  readonly trigger: string;
}

interface World {
  readonly org: SalesforceFake;
  readonly project: ScratchProject;
  /** Starts the daemon and resolves when its line is there. */
  daemon(args?: string): Promise<Daemon>;
  landed(path: string): string[];
  /** Flow, status and trigger of every run. */
  runs(): Promise<string[]>;
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: 100,
    org: { accounts: 250, contacts: 50, opportunities: 0, invoices: 0, users: 3 },
  });
  const project = new ScratchProject(org);
  const daemons: SluiceProcess[] = [];
  try {
    await work({
      org,
      project,
      daemon: async (args = "--sqs-port 0") => {
        const started = project.start(`daemon ${args} --json`);
        daemons.push(started);
        return ready(started);
      },
      landed: (path) => landedIds(project.landed(path)),
      runs: async () => {
        const { stdout } = await project.line("runs --json --limit 0");
        return (JSON.parse(stdout) as ListedRun[]).map(
          ({ flow, status, trigger }) => `${flow} ${status} ${trigger}`,
        );
      },
    });
  } finally {
    for (const { child, exit } of daemons) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exit;
    }
    await org.close();
    project.remove();
  }
}

async function ready(started: SluiceProcess): Promise<Daemon> {
  let text = "";
  started.child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const log = () =>
    text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((said) => said.startsWith("{"))
      .map((said) => JSON.parse(said) as Record<string, unknown>);
  const line = await new Promise<string>((resolve, reject) => {
    started.child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    void started.exit.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)));
  });
  return { ...started, ready: JSON.parse(line) as Ready, log };
}

describe("sluice daemon", { concurrent: true, timeout: 120_000 }, () => {
  it("loads by schedule what changes, starts the flow after it, and ends with 0 at SIGTERM", () =>
    inWorld(async ({ org, project, daemon, landed, runs }) => {
      project.flow("accounts", "Account", [jsonl("accounts")], EVERY_SECOND);
      project.flow("contacts", "Contact", [jsonl("contacts")], "trigger: { type: after, flow: accounts }");
      project.flow("calls", "Account", [jsonl("calls")], "trigger: { type: event }");
      const running = await daemon();
      expect(running.ready).toEqual({
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        dataDir: expect.stringContaining(project.dir),
        flows: { schedule: 1, after: 1, event: 1, onDemand: 0 },
      });
      const allLanded = () => {
        const [accounts, contacts] = [landed("accounts"), landed("contacts")];
        return (
          accounts.length === liveIds(org, "Account").length &&
          contacts.length === liveIds(org, "Contact").length
        );
      };
      await until(allLanded, running);
      org.org.upsert("Account", { Name: "A later one" });
      const loaded = () =>
        ended(running, "accounts").reduce((sum, { loaded: records }) => sum + Number(records), 0);
      await until(() => allLanded() && loaded() === liveIds(org, "Account").length, running);
      running.child.kill("SIGTERM");
      expect((await running.exit).code).toBe(0);
      const lines = running.log();
      expect(lines).toContainEqual(
        expect.objectContaining({ level: "warn", message: expect.stringContaining("events"), flow: "calls" }),
      );
      expect(ended(running, "accounts")[0]).toMatchObject({
        level: "info",
        status: "succeeded",
        loaded: liveIds(org, "Account").length - 1,
        queued: 0,
      });
      expect(landed("accounts")).toEqual(liveIds(org, "Account"));
      expect(landed("contacts")).toEqual(liveIds(org, "Contact"));
      expect(landed("calls")).toEqual([]);
      expect(await runs()).toEqual(
        expect.arrayContaining(["accounts succeeded schedule", "contacts succeeded after"]),
      );
    }));

  it("lets an AWS SDK list a flow's queues and read what was refused", () =>
    inWorld(async ({ org, project, daemon }) => {
      const rules =
        'validate: [{ field: Id, rule: matches, pattern: "^never$" }]\nerrors: { maxRejected: 100%, onReject: deadLetter }';
      project.flow("accounts", "Account", [jsonl("accounts")], `${EVERY_SECOND}\n${rules}`);
      const running = await daemon();
      const credentials = { accessKeyId: "any", secretAccessKey: "any" };
      const client = new SQSClient({ endpoint: running.ready.url, region: "us-east-1", credentials });
      try {
        const queues = async () => (await client.send(new ListQueuesCommand({}))).QueueUrls ?? [];
        const names = async () => (await queues()).map((url) => url.split("/").at(-1)).sort();
        await until(async () => (await names()).length === 2, running);
        expect(await names()).toEqual(["accounts--0-files", "accounts--dead-letters"]);
        const QueueUrl = (await queues()).find((url) => url.endsWith("accounts--dead-letters"));
        const ids = new Set<string>();
        await until(async () => {
          const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 });
          for (const { Body = "" } of (await client.send(receive)).Messages ?? [])
            ids.add(/"Id":"(\w+)"/.exec(Body)?.[1] ?? Body);
          return ids.size === liveIds(org, "Account").length;
        }, running);
        expect([...ids].sort()).toEqual(liveIds(org, "Account"));
      } finally {
        client.destroy();
      }
      running.child.kill("SIGINT");
      expect((await running.exit).code).toBe(0);
    }));

  it("is killed during a run and goes on when it begins again: nothing is lost, nothing comes twice", () =>
    inWorld(async ({ org, project, daemon, landed }) => {
      project.flow("accounts", "Account", [jsonl("accounts")], "trigger: { type: schedule, every: 1h }");
      org.faults.add({ path: "/query/", on: { nth: 1 }, fault: { kind: "slow", delayMs: HELD_MS } });
      const first = await daemon();
      await struck(org, "slow", first);
      first.child.kill("SIGKILL");
      await first.exit;
      org.faults.clear();
      const second = await daemon();
      await logged(second, "run ended");
      second.child.kill("SIGTERM");
      expect((await second.exit).code).toBe(0);
      expect(landed("accounts")).toEqual(liveIds(org, "Account"));
      // The first page is counted by the run that fetched it.
      const loaded = liveIds(org, "Account").length - 100;
      expect(ended(second, "accounts")).toMatchObject([{ status: "succeeded", loaded }]);
    }));

  it("cancels a run at SIGTERM and goes on with it later; a second daemon beside it is refused", () =>
    inWorld(async ({ org, project, daemon, landed }) => {
      project.flow("accounts", "Account", [jsonl("accounts")], "trigger: { type: schedule, every: 1h }");
      org.faults.add({ path: "/query/", on: { nth: 1 }, fault: { kind: "slow", delayMs: HELD_MS } });
      const first = await daemon("--no-sqs");
      expect(first.ready.url).toBeNull();
      await struck(org, "slow", first);
      const other = await project.line("daemon --no-sqs");
      expect([other.code, other.stdout]).toEqual([1, ""]);
      expect(other.stderr).toContain(`error[DAEMON_RUNNING] dataDir: process ${first.child.pid} `);
      first.child.kill("SIGTERM");
      expect((await first.exit).code).toBe(0);
      expect(ended(first, "accounts")).toMatchObject([{ status: "cancelled" }]);
      org.faults.clear();
      const second = await daemon("--no-sqs");
      await logged(second, "run ended");
      second.child.kill("SIGTERM");
      expect((await second.exit).code).toBe(0);
      expect(landed("accounts")).toEqual(liveIds(org, "Account"));
    }));

  it("switches off a schedule that fails, which status names and a run that succeeds ends", () =>
    inWorld(async ({ project, daemon }) => {
      project.flow(
        "accounts",
        "Account",
        [jsonl("accounts")],
        "trigger: { type: schedule, every: 1s, disableAfter: 1 }",
      );
      project.write({ landed: "a file where the sink's folder should be" });
      const running = await daemon("--no-sqs");
      await logged(running, "the schedule is switched off");
      const status = await project.line("status");
      expect(status.stdout).toContain("accounts is switched off: 1 run has failed");
      expect(status.stdout).toContain("fix: When it is mended: sluice run accounts");
      project.clear("landed");
      expect((await project.run("accounts")).code).toBe(0);
      await until(() => ended(running, "accounts").length === 2, running);
      running.child.kill("SIGTERM");
      expect((await running.exit).code).toBe(0);
    }));
});
