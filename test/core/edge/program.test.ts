import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../../core/edge/cli/commands.js";
import { fakeConnectors, orgOf } from "./fake-connectors.js";
import { flowText, folderWith, settings } from "./project.js";
import { runLine } from "./shell.js";

const connectors = fakeConnectors(orgOf(0));

describe("the command line", () => {
  it("lists every command in the help of the program or of its group", async () => {
    const cwd = folderWith({});
    const help = await runLine(["--help"], { cwd });
    expect(help.code).toBe(0);
    expect(help.stderr).toBe("");
    for (const { name } of COMMANDS) {
      const [first = "", second] = name.split(" ");
      expect(help.stdout).toMatch(new RegExp(`^ +${first} `, "m"));
      if (second === undefined) continue;
      const group = await runLine([first, "--help"], { cwd });
      expect(group.stdout).toMatch(new RegExp(`^ +${second} `, "m"));
    }
  });

  it("shows arguments, options, global options and examples of each command", async () => {
    for (const command of COMMANDS) {
      const { code, stdout } = await runLine([...command.name.split(" "), "--help"], { cwd: "/" });
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: sluice ${command.name}`);
      expect(stdout).toContain("--json");
      for (const { flags } of command.options) expect(stdout).toContain(flags);
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) expect(stdout).toContain(`$ ${example}`);
    }
  });

  it("prints the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
    expect(await runLine(["--version"], { cwd: "/" })).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it.each([
    [["rnu"], "unknown command 'rnu' (Did you mean run?)"],
    [["run", "--ful"], "unknown option '--ful' (Did you mean --full?)"],
    [["plan"], "missing required argument 'flow'"],
    [["runs", "--limit", "many"], "expected a whole number"],
    [["run", "a", "--from", "soon"], "expected a date"],
    [["queue", "peek", "q", "--limit", "0"], "expected a number from 1 to 1000"],
    [["validate", "--project"], "argument missing"],
    [["status", "now"], "too many arguments"],
  ])("refuses %j in one sentence with exit code 2", async (args, message) => {
    const cwd = folderWith({ "sluice.yaml": settings() });
    const { code, stdout, stderr } = await runLine(args, { cwd, connectors });
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error\[USAGE\]/);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^fix: See `sluice.*--help`\.$/m);
  });

  it("answers a mistake under --json with one document, wherever --json stands", async () => {
    const cwd = folderWith({});
    for (const args of [
      ["--json", "rnu"],
      ["rnu", "--json"],
      ["validate", "--json"],
      ["--json", "plan"],
    ]) {
      const outcome = await runLine(args, { cwd });
      expect(outcome.code).toBe(2);
      expect(outcome.json()).toMatchObject({ error: { class: "config", message: expect.any(String) } });
    }
  });

  it("shows help when nothing is asked, with exit code 2", async () => {
    for (const args of [[], ["queue"]]) {
      const { code, stdout, stderr } = await runLine(args, { cwd: "/" });
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain("Usage: sluice");
      expect(stderr).not.toContain("error[");
    }
  });

  it("uses colours on a terminal only, and not with NO_COLOR", async () => {
    const cwd = folderWith({});
    const coloured = "\u001b[31m";
    expect((await runLine(["status"], { cwd, columns: 80 })).stderr).toContain(coloured);
    expect((await runLine(["status"], { cwd, columns: 80, env: { NO_COLOR: "1" } })).stderr).not.toContain(
      coloured,
    );
    expect((await runLine(["status"], { cwd, columns: 80, env: { NO_COLOR: "" } })).stderr).toContain(
      coloured,
    );
    expect((await runLine(["status"], { cwd })).stderr).not.toContain(coloured);
  });
});

describe("validate", () => {
  it("finds the project upward, or where --project says", async () => {
    const cwd = folderWith({ "sluice.yaml": settings(), "flows/a.yaml": flowText("a"), "deep/er/x": "" });
    for (const [args, from] of [
      [["validate"], join(cwd, "deep/er")],
      [["validate", "--project", "."], cwd],
      [["--project", join(cwd, "sluice.yaml"), "validate"], "/"],
    ] as const) {
      const outcome = await runLine([...args], { cwd: from, connectors });
      expect(outcome).toMatchObject({ code: 0, stdout: "ok: 1 flow is valid\n", stderr: "" });
    }
    const missing = await runLine(["validate"], { cwd: "/", connectors });
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("error[PROJECT_NOT_FOUND] /:");
  });

  it("prints one problem a line and exits with 2", async () => {
    const cwd = folderWith({
      "sluice.yaml": settings(),
      "flows/a.yaml": flowText("a", "filters: []"),
      "flows/b.yaml": flowText("b").replace("crm", "cmr"),
      "flows/c.yaml": flowText("c"),
    });
    const { code, stdout } = await runLine(["validate"], { cwd, connectors });
    expect(code).toBe(2);
    expect(stdout).toMatch(/^flows\/a\.yaml:3:1 filters: .*filter/m);
    expect(stdout).toMatch(/^flows\/b\.yaml:2:\d+ source\.connection: .*crm/m);
    expect(stdout).toMatch(/2 problems in 2 files; 1 flow is valid\n$/);
    const json = await runLine(["validate", "--json"], { cwd, connectors });
    expect(json.json()).toMatchObject({
      valid: false,
      flows: [{ name: "c", file: "flows/c.yaml" }],
      problems: [
        { file: "flows/a.yaml", line: 3, column: 1, keyPath: "filters" },
        { file: "flows/b.yaml", line: 2, keyPath: "source.connection" },
      ],
    });
  });

  it("looks at the named flows only, by name or by file", async () => {
    const cwd = folderWith({
      "sluice.yaml": settings(),
      "flows/a.yaml": flowText("a", "filters: []"),
      "flows/other.yaml": flowText("c"),
    });
    expect((await runLine(["validate", "c"], { cwd, connectors })).code).toBe(0);
    expect((await runLine(["validate", "flows/other.yaml"], { cwd, connectors })).code).toBe(0);
    expect((await runLine(["validate", "a"], { cwd, connectors })).code).toBe(2);
    const unknown = await runLine(["validate", "nothing-like-it"], { cwd, connectors });
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("error[FLOW_UNKNOWN]: there is no flow named nothing-like-it");
    expect(unknown.stderr).toContain("Name one of: c. 1 file with problems may hold it");
  });
});
