import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { account, fakeConnectors, type Landing, type Org, orgOf } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { type Outcome, runLine, type Setting } from "./shell.js";

let org: Org;
let landing: Landing;
let cwd: string;

const STRICT =
  "validate: [{ field: Employees, rule: notNegative, onFail: deadLetter }]\nerrors: { maxRejected: 100 }";

/** Three dead letters: two records that validate refused and one that the sink refused. */
beforeEach(async () => {
  org = orgOf(25);
  landing = { failure: undefined, refused: "Account 20" };
  cwd = folderWith({ "sluice.yaml": "", "flows/accounts.yaml": flowText("accounts", STRICT) });
  writeFileSync(join(cwd, "sluice.yaml"), settings(join(cwd, "landed")));
  for (const number of [3, 14]) org.rows[number] = account(number, { Employees: -number });
  expect((await line("run accounts")).code).toBe(0);
  landing.refused = undefined;
});

const line = (args: string | readonly string[], more: Partial<Setting> = {}): Promise<Outcome> =>
  runLine(typeof args === "string" ? args.split(" ") : args, {
    cwd,
    connectors: fakeConnectors(org, landing),
    ...more,
  });

interface Listed {
  readonly messageId: string;
  readonly run: string;
  readonly stage: string;
  readonly editedAt: string | null;
}

async function listed(args = ""): Promise<Listed[]> {
  return (await line(`dead-letters list --json${args}`)).json() as Listed[];
}

async function idOf(field: string): Promise<string> {
  return (await listed(` --field ${field}`))[0]?.messageId ?? "";
}

function landed(): Record<string, unknown>[] {
  const dir = join(cwd, "landed/accounts");
  return readdirSync(dir)
    .flatMap((name) => readFileSync(join(dir, name), "utf8").trimEnd().split("\n"))
    .map((text) => JSON.parse(text) as Record<string, unknown>);
}

describe("dead-letters list", () => {
  it("chooses by rule, stage, sink, run and time", async () => {
    const count = async (args: string) => (await listed(args)).length;
    const [letter] = await listed();
    expect(await count(" --rule notnegative")).toBe(2);
    expect(await count(" --stage sink")).toBe(1);
    expect(await count(" --sink files --stage sink")).toBe(1);
    expect(await count(" --sink files --rule notNegative")).toBe(0);
    expect(await count(` --run ${letter?.run}`)).toBe(3);
    expect(await count(" --run 2026")).toBe(0);
    expect(await count(" --since 1h --until 2999-01-01")).toBe(3);
    expect(await count(" --until 1h")).toBe(0);
    for (const [args, message] of [
      ["--stage sunk", "expected one of .*map, validate, sink"],
      ["--since 1h --until 2h", "--since .* is not before --until"],
      ["--by rule", "expected reason"],
    ] as const) {
      const { code, stderr } = await line(`dead-letters list ${args}`);
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(message));
    }
  });

  it("--by reason counts what was refused alike, most frequent first", async () => {
    const { stdout } = await line("dead-letters list --by reason");
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^count +flow +by +rule/),
      expect.stringMatching(/^ +2 +accounts +validate +notNegative on Employees +\S+ \S+ +Employees is -3,/),
      expect.stringMatching(/^ +1 +accounts +files +REFUSED +/),
      "",
    ]);
    expect((await line("dead-letters list --by reason --limit 1 --json")).json()).toEqual([
      {
        flow: "accounts",
        stage: "validate",
        sink: null,
        rule: "notNegative on Employees",
        reason: "Employees is -3, expected 0 or more",
        count: 2,
        oldest: expect.stringMatching(/Z$/),
        newest: expect.stringMatching(/Z$/),
      },
    ]);
    expect((await line("dead-letters list --by reason --limit 1")).stderr).toBe(
      "1 more; --limit 0 lists all.\n",
    );
    expect((await line("dead-letters list --by reason --rule nothing")).stdout).toBe("No dead letters.\n");
  });

  it("prints an empty list, a long one in pieces, and says what it left out", async () => {
    expect((await line("dead-letters list --rule nothing --json")).stdout).toBe("[]\n");
    const text = await line("dead-letters list --limit 2");
    expect(text.stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(text.stderr).toBe("1 more; --limit 0 lists all.\n");
    expect((await line("dead-letters list --limit 3")).stderr).toBe("");
  });
});

describe("dead-letters show", () => {
  it("shows one as a document, several as a list", async () => {
    const ids = (await listed()).map(({ messageId }) => messageId);
    expect((await line(`dead-letters show ${ids[0]} --json`)).json()).toMatchObject({ messageId: ids[0] });
    expect((await line(`dead-letters show ${ids[0]} ${ids[2]} --json`)).json()).toMatchObject([
      { messageId: ids[0], record: { Id: "00100003" } },
      { messageId: ids[2], record: { Id: "00100020" } },
    ]);
    expect((await line("dead-letters show --stage sink --json")).json()).toMatchObject([
      { messageId: ids[2] },
    ]);
    const some = await line("dead-letters show --rule notNegative --limit 1");
    expect(some.stdout).toContain('"Employees": -3');
    expect(some.stdout).not.toContain('"Employees": -14');
    expect(some.stderr).toBe("1 more; --limit 0 shows all.\n");
    expect((await line("dead-letters show --rule nothing")).stdout).toBe("No dead letters match.\n");
    expect((await line("dead-letters show")).stderr).toContain("which dead letters shall show take?");
    expect((await line(`dead-letters show ${ids[0]} --stage sink`)).code).toBe(2);
  });
});

describe("dead-letters edit", () => {
  it("--set and --unset change fields; the edited letter is redriven once", async () => {
    const id = await idOf("Employees=-3");
    const edited = await line([
      "dead-letters",
      "edit",
      id,
      "--set",
      "Employees=3",
      "--unset",
      "Revenue",
      "--json",
    ]);
    expect(edited.code).toBe(0);
    const document = edited.json() as { messageId: string };
    expect(document).toMatchObject({
      edited: true,
      replaces: id,
      stage: "validate",
      rule: "notNegative on Employees",
      reason: "Employees is -3, expected 0 or more",
      record: { Id: "00100003", Employees: 3 },
    });
    expect(document).not.toHaveProperty("record.Revenue");
    expect(await listed()).toHaveLength(3);
    expect((await listed()).filter(({ editedAt }) => editedAt !== null)).toMatchObject([
      { messageId: document.messageId },
    ]);
    expect((await line("dead-letters list")).stdout).toContain("(edited) Employees is -3");
    const redrive = await line(`dead-letters redrive ${document.messageId}`);
    expect(redrive.stdout).toContain(
      "accounts: 1 dead letter, 1 sent again, 0 refused again\n  1 record for accounts--0-files",
    );
    expect(landed().filter(({ Id }) => Id === "00100003")).toEqual([
      expect.objectContaining({ Employees: 3, Revenue: null }),
    ]);
    expect((await line(`dead-letters edit ${id} --set Employees=3`)).stderr).toContain(
      "there is no dead letter",
    );
  });

  it("--body takes the whole record from a file or from standard input", async () => {
    const record = '{"Id":"00100003","Employees":3,"Revenue":1234567890123456.78}';
    writeFileSync(join(cwd, "mended.json"), record);
    const id = await idOf("Employees=-3");
    expect((await line(`dead-letters edit ${id} --body mended.json`)).code).toBe(0);
    const other = await idOf("Employees=-14");
    expect(
      (await line(`dead-letters edit ${other} --body -`, { stdin: record.replace("3", "14") })).code,
    ).toBe(0);
    const shown = await line("dead-letters show --field Id=00100003");
    expect(shown.stdout).toContain("1234567890123456.78");
    const missing = await line(`dead-letters edit ${await idOf("Id=00100003")} --body none.json`);
    expect(missing.stderr).toMatch(
      /^error\[BODY_UNREADABLE\] .*none\.json: the file cannot be read: ENOENT$/m,
    );
  });

  it.each([
    [
      ["--set", "Name=Acme"],
      "",
      'expected field=value with a JSON value, such as Name="Acme", found Name=Acme',
    ],
    [["--set", "=1"], "", "expected field=value, found =1"],
    [["--unset", "Fax"], "", "the record has no field Fax"],
    [["--set", "Owner.Name=1"], "", "the record has no object Owner for Owner.Name to be in"],
    [["--body", "-"], "[1]", "expected exactly one JSON object"],
    [["--body", "-"], '{"a":1} {"a":2}', "expected exactly one JSON object"],
    [["--body", "-", "--set", "a=1"], "{}", "--body gives the whole record"],
    [[], "", "nobody is at a terminal to edit the record"],
  ])("refuses %j with one sentence and changes nothing", async (args, stdin, message) => {
    const before = await listed();
    const { code, stderr, stdout } = await line(
      ["dead-letters", "edit", before[0]?.messageId ?? "", ...args],
      {
        stdin,
      },
    );
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(await listed()).toEqual(before);
  });

  it("opens an editor, and keeps what was typed when it is no record", async () => {
    const id = await idOf("Employees=-3");
    const same = await line(`dead-letters edit ${id}`, { edit: (text) => text });
    expect(same).toMatchObject({ code: 0, stdout: "Nothing was changed.\n" });
    const wrong = await line(`dead-letters edit ${id}`, { edit: (text) => text.replace("{", "") });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/^cause: .*JSON/m);
    const kept = /What you wrote is in (\S+):/.exec(wrong.stderr)?.[1] ?? "";
    expect(readFileSync(kept, "utf8")).toContain('"Employees": -3');
    const mended = await line(`dead-letters edit ${id}`, { edit: (text) => text.replace("-3", "3") });
    expect(mended.stdout).toMatch(/^edited {3}\d{4}-/m);
    expect(mended.stdout).toContain('"Employees": 3');
    expect(mended.stderr).toContain("Send it again: sluice dead-letters redrive");
    rmSync(dirname(kept), { recursive: true });
  });

  it("holds a mapped record to the columns of its sink", async () => {
    const id = await idOf("Id=00100020");
    const wrong = await line(["dead-letters", "edit", id, "--set", 'Employees="many"']);
    expect(wrong.stderr).toMatch(
      /^error\[FIELD_TYPE\]: Employees is "many", expected an integer within 64 bits$/m,
    );
    expect((await line(["dead-letters", "edit", id, "--set", 'Name="Twenty"'])).code).toBe(0);
    expect((await line("dead-letters redrive --stage sink")).code).toBe(0);
    expect(landed().filter(({ Id }) => Id === "00100020")).toEqual([
      expect.objectContaining({ Name: "Twenty" }),
    ]);
  });
});

describe("a dry run", () => {
  it("of drop counts and leaves everything", async () => {
    expect((await line("dead-letters drop --rule notNegative --dry-run")).stdout).toBe(
      "accounts: 2 dead letters would be dropped\n",
    );
    expect((await line("dead-letters drop --rule notNegative --dry-run --json")).json()).toEqual([
      { flow: "accounts", dryRun: true, dropped: 2 },
    ]);
    expect(await listed()).toHaveLength(3);
  });

  it("of redrive says where records would go and why others would not", async () => {
    const dry = await line("dead-letters redrive --flow accounts --dry-run");
    expect(dry.stdout).toContain(
      "accounts: 3 dead letters, 1 would pass now, 2 refused again\n  1 record for accounts--0-files",
    );
    expect(dry.stdout).toContain("Employees is -14, expected 0 or more");
    expect(await listed()).toHaveLength(3);
    expect((await line("runs --json")).json()).toHaveLength(1);
  });
});

it("dead-letters redrive keeps to a rate", async () => {
  writeFileSync(join(cwd, "flows/accounts.yaml"), flowText("accounts"));
  for (const rate of ["0", "-1", "x", "1.5"]) {
    const { code, stderr } = await line(`dead-letters redrive --flow accounts --rate ${rate}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(/expected a whole number of records per second|argument missing/);
  }
  const done = await line("dead-letters redrive --flow accounts --rate 100 --json");
  expect(done.json()).toMatchObject([{ redriven: 3, queues: { "accounts--0-files": 3 }, filtered: 0 }]);
  expect(landed().map(({ Id }) => Id)).toHaveLength(25);
});
