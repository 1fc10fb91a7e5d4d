import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { systemClock } from "../../../core/contracts/index.js";
import { account, fakeConnectors, type Org, orgOf } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

const STRICT = "validate: [{ field: Employees, rule: notNegative, onFail: deadLetter }]";
let org: Org;
let cwd: string;

beforeEach(() => {
  org = orgOf(5);
  org.rows[2] = account(2, { Employees: -1 });
  cwd = folderWith({ "sluice.yaml": "", "flows/accounts.yaml": flowText("accounts", STRICT) });
});

function alarms(entries: string): void {
  writeFileSync(
    join(cwd, "sluice.yaml"),
    `${settings(join(cwd, "landed"))}buffer: { alarms: [${entries}] }\n`,
  );
}

const line = (args: string, more: Partial<Setting> = {}): Promise<Outcome> =>
  runLine(args.split(" "), { cwd, connectors: fakeConnectors(org), ...more });

it("status shows alarms and exits with 4 while one fires; a run warns once", async () => {
  alarms('{ queue: "*", oldest: 1h, deadLetters: 1 }, { queue: "acounts--*", messages: 5 }');
  const before = await line("status");
  expect(before.code).toBe(0);
  expect(before.stdout).toContain('sluice.yaml:4 alarm on messages: "acounts--*" matches no queue.');

  const run = await line("run accounts");
  expect(run.code).toBe(0);
  expect(run.stderr.match(/an alarm fires/g)).toHaveLength(1);
  expect(run.stderr).toMatch(/an alarm fires .*accounts--dead-letters/);
  expect((await line("run accounts")).stderr).toBe("");

  const text = await line("status");
  expect(text.code).toBe(4);
  expect(text.stdout).toMatch(/^firing +accounts--dead-letters +dead letters +1 +1 +\d{4}-\S+ \S+, /m);
  expect(text.stdout).toMatch(/^ok +accounts--0-files +oldest message +0 ms +1 h +-$/m);

  const json = await line("status --json");
  expect(json.code).toBe(4);
  expect(json.json()).toMatchObject({
    alarms: [
      {
        queue: "accounts--0-files",
        metric: "oldest",
        value: 0,
        threshold: 3_600_000,
        state: "ok",
        since: null,
      },
      {
        queue: "accounts--dead-letters",
        metric: "deadLetters",
        value: 1,
        threshold: 1,
        state: "firing",
        since: expect.stringMatching(/Z$/),
        pattern: "*",
        place: "sluice.yaml:4",
        changes: [{ state: "firing", value: 1 }],
      },
    ],
    idleAlarms: [{ pattern: "acounts--*", metric: "messages" }],
  });

  expect((await line("dead-letters drop --flow accounts --yes")).code).toBe(0);
  expect((await line("status")).code).toBe(0);
  // What status saw is kept.
  const after = (await line("status --json")).json() as { alarms: { changes: { state: string }[] }[] };
  expect(after.alarms[1]?.changes.map(({ state }) => state)).toEqual(["firing", "ok"]);
});

it("status measures ages by the clock, and writes down what moved", async () => {
  alarms('{ queue: "*--dead-letters", oldest: 1h }');
  await line("run accounts");
  const later = { clock: { ...systemClock, now: () => Date.now() + 2 * 3_600_000 } };
  expect((await line("status", later)).code).toBe(4);
  const again = await line("status --json", later);
  expect(again.json()).toMatchObject({ alarms: [{ metric: "oldest", state: "firing" }] });
  expect((await line("status")).code).toBe(0);
});

it("a project without alarms says nothing of them", async () => {
  writeFileSync(join(cwd, "sluice.yaml"), settings(join(cwd, "landed")));
  await line("run accounts");
  const { code, stdout } = await line("status");
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/alarm/);
  expect((await line("status --json")).json()).toMatchObject({ alarms: [], idleAlarms: [] });
});
