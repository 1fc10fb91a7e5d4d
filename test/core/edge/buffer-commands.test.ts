import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { account, fakeConnectors, type Landing, type Org, orgOf, unreachable } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

let org: Org;
let landing: Landing;
let cwd: string;

const STRICT =
  "validate: [{ field: Employees, rule: notNegative, onFail: deadLetter }]\nerrors: { maxRejected: 100 }";
const QUEUE = "accounts--0-files";

beforeEach(() => {
  org = orgOf(25);
  landing = { failure: undefined, refused: undefined };
  cwd = folderWith({ "sluice.yaml": "", "flows/accounts.yaml": flowText("accounts", STRICT) });
  writeFileSync(join(cwd, "sluice.yaml"), settings(join(cwd, "landed")));
});

const line = (args: string | readonly string[], more: Partial<Setting> = {}): Promise<Outcome> =>
  runLine(typeof args === "string" ? args.split(" ") : args, {
    cwd,
    connectors: fakeConnectors(org, landing),
    ...more,
  });

function landedIds(): string[] {
  const dir = join(cwd, "landed/accounts");
  return readdirSync(dir)
    .flatMap((name) => readFileSync(join(dir, name), "utf8").trimEnd().split("\n"))
    .map((text) => String(JSON.parse(text).Id));
}

/** Two records that validate refuses and one that the sink refuses. */
async function runWithRefusals(): Promise<void> {
  for (const number of [3, 14]) org.rows[number] = account(number, { Employees: -number });
  landing.refused = "Account 20";
  const { code } = await line("run accounts");
  expect(code).toBe(0);
}

interface Listed {
  readonly messageId: string;
  readonly stage: string;
  readonly rule: string;
  readonly reason: string;
  readonly sink: string | null;
}

async function listed(args = ""): Promise<Listed[]> {
  return (await line(`dead-letters list --json${args}`)).json() as Listed[];
}

describe("a project that has never run", () => {
  it.each([
    ["status", /^accounts +never +- +- +- +0 +0$/m],
    ["runs", /^No runs yet\.$/m],
    ["runs accounts", /^No runs yet\.$/m],
    ["queue list", /^No queues yet/m],
    ["dead-letters list", /^No dead letters\.$/m],
    ["dead-letters list --flow accounts", /^No dead letters\.$/m],
  ])("%s answers and creates nothing", async (args, expected) => {
    const { code, stdout, stderr } = await line(args);
    expect(stdout).toMatch(expected);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(existsSync(join(cwd, ".sluice"))).toBe(false);
  });

  it.each([
    "runs accuonts",
    "queue peek a",
    "queue purge a --yes",
    "dead-letters show 123456",
    "dead-letters list --flow x",
  ])("%s says what is not there", async (args) => {
    const { code, stderr } = await line(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error\[[A-Z_]*UNKNOWN\].*: there is no /);
  });
});

it("a data directory that nothing was written to yet is as good as none", async () => {
  mkdirSync(join(cwd, ".sluice"));
  expect(await line("status")).toMatchObject({ code: 0, stderr: "" });
  expect((await line("queue list")).stdout).toMatch(/^No queues yet/);
});

it("no temporary files of connections stay behind", async () => {
  await line("run accounts");
  expect(readdirSync(join(cwd, ".sluice/tmp"))).toEqual([]);
});

describe("status and runs", () => {
  it("tell of the last run, the checkpoint, the lag, queues and dead letters", async () => {
    await runWithRefusals();
    const clock = { ...(await import("../../../core/contracts/index.js")).systemClock };
    clock.now = () => Date.UTC(2026, 1, 1, 3);
    const { code, json } = await line("status --json", { clock });
    expect(code).toBe(0);
    expect(json()).toMatchObject({
      project: cwd,
      dataDir: join(cwd, ".sluice"),
      flows: [
        {
          flow: "accounts",
          state: "succeeded",
          lastRun: {
            status: "succeeded",
            records: { fetched: 25, loaded: 22, deadLettered: 3 },
            error: null,
          },
          checkpoint: { complete: true },
          lagMs: 3 * 3_600_000,
          queues: [{ queue: QUEUE, connection: "files", messages: 0, records: 0, oldestAgeMs: null }],
          deadLetters: 3,
          openLoads: 0,
          lease: null,
        },
      ],
    });
    const text = await line("status", { clock });
    expect(text.stdout).toMatch(/^accounts +succeeded +.* +22 +3 h +0 +3$/m);
    expect(text.stdout).toContain("accounts has refused records: sluice dead-letters list --flow accounts");
  });

  it("tell of what waits in a queue, and what the next run will do", async () => {
    landing.failure = unreachable();
    org.failure = undefined;
    expect((await line("run accounts", fastClock())).code).toBe(1);
    const { stdout } = await line("status");
    expect(stdout).toMatch(/^accounts +failed +/m);
    expect(stdout).toMatch(new RegExp(`^${QUEUE} +\\d+ +25 +[\\d.]+ k?B +`, "m"));
    expect(stdout).toContain("accounts has 1 open load; the next run finishes it first.");
    expect(stdout).toContain("accounts ended with ORG_DOWN: the org does not answer");
    landing.failure = undefined;
    const next = await line("run accounts");
    expect(next.stderr).toBe("");
    expect(next.stdout).toContain("earlier  25 records of 1 earlier run delivered as well");
    expect(landedIds()).toHaveLength(25);
  });

  it("runs lists the newest first and no more than asked for", async () => {
    for (let i = 0; i < 3; i++) await line("run accounts");
    const all = (await line("runs accounts --json")).json() as {
      run: string;
      records: { fetched: number };
    }[];
    expect(all.map(({ records }) => records.fetched)).toEqual([0, 0, 25]);
    expect(all.map(({ run }) => run)).toEqual(
      all
        .map(({ run }) => run)
        .sort()
        .reverse(),
    );
    const one = await line("runs --limit 1");
    expect(one.stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(one.stderr).toBe("The newest 1; --limit 0 lists all.\n");
    expect((await line("runs --limit 3")).stderr).toBe("");
  });

  it("warn of problems in files and answer all the same", async () => {
    await line("run accounts");
    writeFileSync(join(cwd, "flows/bad.yaml"), "name: [");
    writeFileSync(join(cwd, "flows/new.yaml"), flowText("new"));
    const { code, stderr, stdout } = await line("status");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: the project has \d+ problems?; flows that have one are left out/);
    expect(stdout).toMatch(/^accounts +succeeded/m);
    // What has run is told of even when its own file cannot be read.
    writeFileSync(join(cwd, "flows/accounts.yaml"), "name: [");
    const again = await line("status");
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/^accounts +succeeded.*\nnew +never/m);
    expect((await line("runs accounts --json")).json()).toHaveLength(1);
  });
});

/** Retries wait in no time. */
function fastClock(): Partial<Setting> {
  const clock = {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (_: number, signal?: AbortSignal) =>
      signal?.aborted ? Promise.reject(signal.reason) : new Promise<void>((resolve) => setImmediate(resolve)),
    every: () => () => undefined,
  };
  return { clock };
}

describe("queue", () => {
  beforeEach(async () => {
    landing.failure = unreachable();
    await line("run accounts", fastClock());
    landing.failure = undefined;
  });

  it("list shows depth", async () => {
    expect((await line("queue list --json")).json()).toEqual([
      expect.objectContaining({ queue: "accounts--0-files", records: 25, oldestAgeMs: expect.any(Number) }),
      expect.objectContaining({ queue: "accounts--dead-letters", records: 0, oldestAgeMs: null }),
    ]);
    expect((await line("queue list accounts--d")).stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  it("peek shows attributes of every data type, and where a dead letter comes from", async () => {
    const options = { dataDir: join(cwd, ".sluice"), clock: systemClock, random: systemRandom };
    const environment = await openEnvironment(options);
    const { queues } = environment;
    await queues.createQueue("dead");
    const RedrivePolicy = { deadLetterTargetQueue: "dead", maxReceiveCount: 1 };
    await queues.createQueue("inbox", { VisibilityTimeout: 0, RedrivePolicy });
    const attributes = {
      tenant: "acme",
      size: { dataType: "Number", value: "12.50" },
      icon: { dataType: "Binary.gif", value: Buffer.from("GIF89a") },
      label: { dataType: "String.label", value: "x" },
    };
    await queues.send("inbox", [{ body: "hello", attributes, groupId: "g1" }]);
    for (let n = 0; n < 3; n++) await queues.receive("inbox", { maxNumberOfMessages: 1, waitTimeMs: 0 });
    await environment.close();
    expect((await line("queue peek dead --json")).json()).toMatchObject([
      {
        attributes: {
          tenant: "acme",
          size: { dataType: "Number", value: "12.50" },
          icon: { dataType: "Binary.gif", value: Buffer.from("GIF89a").toString("base64") },
          label: { dataType: "String.label", value: "x" },
        },
        groupId: "g1",
        deadLetterSource: "inbox",
        body: "hello",
      },
    ]);
    const text = await line("queue peek dead");
    expect(text.stdout).toContain("group g1, from inbox");
    for (const shown of [
      "tenant=acme",
      "size(Number)=12.50",
      "icon(Binary.gif)=<6 B>",
      "label(String.label)=x",
    ])
      expect(text.stdout).toContain(shown);
  });

  it("peek shows the first lines of bodies, takes nothing and counts nothing", async () => {
    const messages = (await line(`queue peek ${QUEUE} --limit 1000 --json`)).json() as {
      body: string;
      records: number;
      receiveCount: number;
    }[];
    const ids = messages.flatMap(({ body }) =>
      body
        .trimEnd()
        .split("\n")
        .map((text) => JSON.parse(text).Id),
    );
    expect(ids).toEqual(org.rows.map(({ Id }) => Id));
    const text = await line(`queue peek ${QUEUE} --limit 1`);
    expect(text.stdout).toContain('{"Id":"00100000","Name":"Account 0"');
    expect(text.stdout).toContain("flow=accounts");
    expect(text.stdout).toMatch(/^\.\.\. \d+ more$/m);
    expect((await line(`queue peek ${QUEUE} --limit 1000 --json`)).json()).toEqual(messages);
    const near = await line("queue peek accounts--0-file");
    expect(near.stderr).toContain(`there is no queue named accounts--0-file (did you mean ${QUEUE}?)`);
  });

  it("purge asks, and the runs count what went as dropped", async () => {
    const unasked = await line(`queue purge ${QUEUE}`);
    expect(unasked.code).toBe(2);
    expect(unasked.stderr).toContain(
      "error[NOT_CONFIRMED]: Throw away 25 records in accounts--0-files for good?",
    );
    const declined = await line(`queue purge ${QUEUE}`, { answer: false });
    expect(declined.code).toBe(1);
    expect(declined.stderr).toContain("Nothing was changed.");
    const done = await line(`queue purge ${QUEUE}`, { answer: true });
    expect(done).toMatchObject({
      code: 0,
      stdout: "25 records purged from accounts--0-files; counted as dropped.\n",
    });
    const [run] = (await line("runs --json")).json() as { records: unknown }[];
    expect(run?.records).toEqual({
      fetched: 25,
      filtered: 0,
      dropped: 25,
      deadLettered: 0,
      loaded: 0,
      queued: 0,
    });
    expect((await line(`queue purge ${QUEUE} --json`)).json()).toEqual({ queue: QUEUE, records: 0 });
    expect((await line("run accounts --json")).code).toBe(0);
  });
});

describe("dead letters", () => {
  beforeEach(runWithRefusals);

  it("are listed with who refused them and why", async () => {
    const letters = await listed();
    expect(letters.map(({ stage, sink }) => [stage, sink])).toEqual([
      ["validate", null],
      ["validate", null],
      ["sink", "files"],
    ]);
    expect(letters[0]).toMatchObject({
      flow: "accounts",
      rule: expect.stringContaining("notNegative"),
      reason: expect.stringContaining("-3"),
    });
    expect(letters[2]?.reason).toContain("Account 20 is not welcome");
    const { stdout } = await line("dead-letters list");
    expect(stdout).toMatch(/^[0-9a-f-]{36} +accounts +2026-.* +validate +.*notNegative.*-3/m);
  });

  it("can be chosen by reason, field, time and number", async () => {
    const reasons = async (args: string) => (await listed(args)).length;
    expect(await reasons(" --reason NOTNEGATIVE")).toBe(2);
    expect(await reasons(" --field Id=00100014")).toBe(1);
    expect(await reasons(" --field Employees=-3 --field Id=00100003")).toBe(1);
    expect(await reasons(" --field Employees=-3 --field Id=00100014")).toBe(0);
    expect(await reasons(" --since 1h")).toBe(3);
    expect(await reasons(" --since 2999-01-01")).toBe(0);
    expect(await reasons(" --flow accounts --limit 2")).toBe(2);
    expect((await line("dead-letters list --limit 2")).stderr).toBe("1 more; --limit 0 lists all.\n");
    expect((await line("dead-letters list --field Id")).stderr).toContain("expected name=value, found Id");
  });

  it("are shown whole, by the beginning of their id", async () => {
    const [letter] = await listed();
    const id = letter?.messageId ?? "";
    const short = id.slice(0, 8);
    const unique = (await listed()).filter(({ messageId }) => messageId.startsWith(short)).length === 1;
    const shown = await line(`dead-letters show ${unique ? short : id} --json`);
    expect(shown.json()).toMatchObject({ messageId: id, record: { Id: "00100003", Employees: -3 } });
    const text = await line(`dead-letters show ${id}`);
    expect(text.stdout).toContain('"Employees": -3');
    expect((await line("dead-letters show ffffffff-ffff")).code).toBe(2);
    expect((await line(`dead-letters show ${id.slice(0, 3)}`)).stderr).toContain("at least 6 characters");
  });

  it("go through the flow again, once it lets them pass", async () => {
    const [first] = await listed();
    const again = await line(`dead-letters redrive ${first?.messageId} --json`);
    expect(again.code).toBe(0);
    expect(again.json()).toMatchObject([
      { flow: "accounts", examined: 1, redriven: 0, stillRejected: [{ messageId: first?.messageId }] },
    ]);
    writeFileSync(join(cwd, "flows/accounts.yaml"), flowText("accounts"));
    landing.refused = undefined;
    const dry = await line("dead-letters redrive --flow accounts --reason notNegative --dry-run");
    expect(dry.stdout).toContain("accounts: 2 dead letters, 2 would pass now, 0 refused again");
    expect(await listed()).toHaveLength(3);
    const done = await line("dead-letters redrive --flow accounts --json");
    expect(done.code).toBe(0);
    expect(done.json()).toMatchObject([
      {
        flow: "accounts",
        dryRun: false,
        examined: 3,
        redriven: 3,
        stillRejected: [],
        run: { trigger: "redrive", status: "succeeded" },
      },
    ]);
    expect(await listed()).toEqual([]);
    expect(landedIds().sort()).toEqual(org.rows.map(({ Id }) => String(Id)).sort());
  });

  it("are dropped only when chosen and confirmed", async () => {
    for (const args of ["dead-letters drop --yes", "dead-letters redrive"]) {
      const { code, stderr } = await line(args);
      expect(code).toBe(2);
      expect(stderr).toContain("which dead letters shall");
    }
    expect((await line("dead-letters drop --flow accounts")).code).toBe(2);
    expect((await line("dead-letters drop --flow accounts", { answer: false })).code).toBe(1);
    expect(await listed()).toHaveLength(3);
    const done = await line("dead-letters drop --reason notNegative --yes");
    expect(done).toMatchObject({ code: 0, stdout: "accounts: 2 dead letters dropped\n" });
    expect((await listed()).map(({ stage }) => stage)).toEqual(["sink"]);
    expect((await line("dead-letters drop --reason nothing-such --yes")).stdout).toBe(
      "No dead letters match.\n",
    );
  });

  it("outlive the file of their flow: they can be seen and dropped, not sent", async () => {
    writeFileSync(join(cwd, "flows/accounts.yaml"), flowText("renamed"));
    expect(await listed(" --flow accounts")).toHaveLength(3);
    const redrive = await line("dead-letters redrive --flow accounts");
    expect(redrive.code).toBe(2);
    expect(redrive.stderr).toContain("the flow accounts has dead letters and no file any more");
    expect((await line("dead-letters drop --flow accounts --yes")).code).toBe(0);
  });
});
