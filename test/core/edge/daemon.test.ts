import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { account, fakeConnectors, orgOf } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

const HOURLY = "trigger: { type: schedule, every: 1h }";

/** Runs `daemon` until `enough` has been said on standard error, or to its end. */
async function daemon(
  args: readonly string[],
  setting: Pick<Setting, "cwd" | "env" | "connectors">,
  enough: RegExp = /^never/,
): Promise<Outcome> {
  const interrupt = new AbortController();
  let said = "";
  return runLine(["daemon", ...args], {
    ...setting,
    signal: interrupt.signal,
    onStderr: (text) => {
      said += text;
      if (enough.test(said)) interrupt.abort();
    },
  });
}

it("serves on the project's port, logs what it does, and leaves nothing open", async () => {
  const org = orgOf(5);
  const cwd = folderWith({
    "sluice.yaml": `${settings()}server: { sqsPort: 0 }\n`,
    "flows/accounts.yaml": flowText("accounts", HOURLY),
    "flows/later.yaml": flowText("later", "trigger: { type: after, flow: accounts }"),
  });
  const connectors = fakeConnectors(org);
  const first = await daemon([], { cwd, connectors }, /run ended flow=later/);
  expect(first.code).toBe(0);
  expect(first.stdout).toMatch(
    /^listening on http:\/\/127\.0\.0\.1:\d+; 1 flow by schedule, 1 after others\n$/,
  );
  expect(first.stderr).toMatch(/info {2}run starts flow=accounts trigger=schedule due=20/);
  expect(first.stderr).toMatch(/info {2}run ended flow=accounts run=\S+ status=succeeded ms=\d+ fetched=5 /);
  expect((await runLine(["runs"], { cwd, connectors })).stdout).toMatch(
    /trigger.*\n.* after .*\n.* schedule /,
  );
  // The data directory, its lease and its queues are free again.
  expect((await runLine(["run", "accounts"], { cwd, connectors })).code).toBe(0);
});

it("prints what validate prints, and starts nothing, when the project has problems", async () => {
  const cwd = folderWith({
    "sluice.yaml": settings(),
    "flows/good.yaml": flowText("good", HOURLY),
    "flows/bad.yaml": flowText("bad", 'trigger: { type: schedule, cron: "61 * * * *" }'),
  });
  const connectors = fakeConnectors(orgOf(1));
  for (const json of [[], ["--json"]]) {
    const validated = await runLine(["validate", ...json], { cwd, connectors });
    expect(validated.code).toBe(2);
    expect(await daemon(json, { cwd, connectors })).toMatchObject({ code: 2, stdout: validated.stdout });
  }
});

it("says which setting to change when it cannot listen", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const cwd = folderWith({ "sluice.yaml": `${settings()}server: { sqsPort: ${port} }\n` });
  const busy = await daemon([], { cwd, connectors: fakeConnectors(orgOf(0)) });
  taken.close();
  expect([busy.code, busy.stdout]).toEqual([2, ""]);
  expect(busy.stderr).toContain(`error[PORT_IN_USE] 127.0.0.1:${port}`);
  expect(busy.stderr).toContain("server.sqsPort in sluice.yaml or --sqs-port; --no-sqs goes without.");

  writeFileSync(join(cwd, "sluice.yaml"), `${settings()}server: { host: 0.0.0.0 }\n`);
  const open = await daemon(["--sqs-port", "0"], { cwd, connectors: fakeConnectors(orgOf(0)) });
  expect(open.code).toBe(2);
  expect(open.stderr).toContain("error[NOT_LOOPBACK] server.host: ");
  const half = await daemon([], {
    cwd,
    connectors: fakeConnectors(orgOf(0)),
    env: { SLUICE_SQS_ACCESS_KEY_ID: "key" },
  });
  expect(half.stderr).toContain("error[SQS_KEY_INCOMPLETE]");
});

it("fires alarms while no run ends", async () => {
  const org = orgOf(3);
  org.rows[0] = account(0, { Employees: -1 });
  const strict = "validate: [{ field: Employees, rule: notNegative, onFail: deadLetter }]";
  const cwd = folderWith({
    "sluice.yaml": settings(),
    "flows/accounts.yaml": flowText("accounts", strict),
  });
  const connectors = fakeConnectors(org);
  await runLine(["run", "accounts"], { cwd, connectors });
  writeFileSync(
    join(cwd, "sluice.yaml"),
    `${settings()}buffer: { alarms: [{ queue: "*", deadLetters: 1 }] }\n`,
  );
  const { code, stderr, stdout } = await daemon(["--no-sqs"], { cwd, connectors }, /an alarm fires/);
  expect([code, stdout]).toEqual([0, "ready: 0 flows by schedule, 0 after others\n"]);
  expect(stderr).toContain("queue=accounts--dead-letters");
});
