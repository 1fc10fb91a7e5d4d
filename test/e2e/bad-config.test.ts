import { chmodSync, existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { landedIds, liveIds, ScratchProject } from "./scratch-project.js";

// What authors of flows get wrong, as the built command answers it: place, expectation, nearest name, exit code 2.

/** Real processes on a machine that may be busy. */
const OPTIONS = { concurrent: true, timeout: 120_000 };

const JSONL = "{ connection: files, path: accounts, format: jsonl, compression: none }";

let org: SalesforceFake;
const projects: ScratchProject[] = [];

beforeAll(async () => {
  org = await startSalesforceFake({
    org: { accounts: 40, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
});

afterAll(async () => {
  await org.close();
  for (const project of projects) project.remove();
});

function makeProject(options?: ConstructorParameters<typeof ScratchProject>[1]): ScratchProject {
  const project = new ScratchProject(org, options);
  projects.push(project);
  project.flow("good", "Account", [JSONL]);
  return project;
}

/** A file that this user cannot read, whoever that is: root reads every mode. */
function writeUnreadable(project: ScratchProject, name: string): RegExp {
  if (process.getuid?.() !== 0) {
    project.write({ [name]: "name: x\n" });
    chmodSync(join(project.dir, name), 0o000);
    return /cannot be read: EACCES/;
  }
  symlinkSync("/proc/self/mem", join(project.dir, name));
  return /cannot be read: E(IO|NOENT)/;
}

describe("flow files with mistakes", OPTIONS, () => {
  it("are all told at once, each with its place, and do not keep a good flow from running", async () => {
    const project = makeProject();
    project.write({
      "flows/a-tabs.yaml": "name: a\nsource:\n\tconnection: salesforce\n",
      "flows/b-open.yaml": "name: b\nsource: { connection: salesforce\nsinks: []\n",
      "flows/c-binary.yaml": Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 0x02, 0xff, 0x00, 0xfe]),
      "flows/d-large.yaml": `# ${"x".repeat(1024 * 1024)}\n`,
      "flows/e-keys.yaml":
        "name: e\nsource: { connection: salesforce, strem: Account }\nfliter: []\nsinks: [{ connection: files, path: e, formatt: csv }]\n",
      "flows/f-types.yaml":
        "name: f\nsource: { connection: salesforce, stream: Account, lookback: 5 }\nmap: Id\nerrors: { maxRejected: much }\nsinks: [{ connection: files, path: 7 }]\n",
      "flows/g-twin.yaml":
        "name: twin\nsource: { connection: salesforce, stream: Account }\nsinks: [{ connection: files, path: g }]\n",
      "flows/h-twin.yaml":
        "name: twin\nsource: { connection: salesforce, stream: Account }\nsinks: [{ connection: files, path: h }]\n",
      "flows/i-connection.yaml":
        "name: i\nsource: { connection: salesfroce, stream: Account }\nsinks: [{ connection: salesforce, path: i }]\n",
      "flows/k-secret.yaml": `name: k\nsource: { connection: salesforce, stream: Account }\nmap: [{ from: Id, hash: { secret: "\${env:PEPER}" }, to: id }]\nsinks: [{ connection: files, path: k }]\n`,
    });
    const unreadable = writeUnreadable(project, "flows/l-unreadable.yaml");
    symlinkSync("m-circle.yaml", join(project.dir, "flows/m-circle.yaml"));
    const validated = await project.line("validate");
    expect(validated.code).toBe(2);
    const lines = validated.stdout.trimEnd().split("\n");
    expect(lines.filter((line) => !/ [lm]-|flows\/[lm]-/.test(line))).toEqual([
      "flows/a-tabs.yaml:3:1: expected spaces: YAML allows no tabs for indentation",
      "flows/b-open.yaml:3:1: expected another indentation, or a closing bracket before this line",
      "flows/c-binary.yaml:1:1: cannot be read: it is not UTF-8 text",
      "flows/d-large.yaml:1:1: cannot be read: it is larger than 1 MiB",
      'flows/e-keys.yaml:2:1 source.stream: missing: expected the name of a stream (is "strem" meant to be "stream"?)',
      'flows/e-keys.yaml:2:35 source.strem: unknown key "strem" (did you mean "stream"?)',
      'flows/e-keys.yaml:3:1 fliter: unknown key "fliter" (did you mean "filter"?)',
      'flows/e-keys.yaml:4:39 sinks[0].formatt: unknown key "formatt" (did you mean "format"?)',
      "flows/f-types.yaml:2:62 source.lookback: expected a duration such as 10s, 5m, 1h or 7d, found the number 5",
      'flows/f-types.yaml:3:6 map: expected a list of map entries such as ["*"], found "Id"',
      'flows/f-types.yaml:4:24 errors.maxRejected: expected a count such as 100 or a share such as 1%, found "much"',
      "flows/f-types.yaml:5:36 sinks[0].path: expected a text, found the number 7",
      'flows/g-twin.yaml:1:7 name: the name "twin" is also used by flows/h-twin.yaml:1:7: names are unique',
      'flows/h-twin.yaml:1:7 name: the name "twin" is also used by flows/g-twin.yaml:1:7: names are unique',
      'flows/i-connection.yaml:2:23 source.connection: there is no connection "salesfroce" in sluice.yaml (did you mean "salesforce"?)',
      'flows/i-connection.yaml:3:23 sinks[0].connection: expected a sink: "salesforce" uses the connector salesforce, which is a source (sinks: files, lake, warehouse)',
      "flows/k-secret.yaml:3:36 map[0].hash.secret: the environment variable PEPER is not set (set it before starting sluice, e.g. export PEPER=...)",
      "19 problems in 12 files; 1 flow is valid",
    ]);
    expect(lines.find((line) => line.startsWith("flows/l-"))).toMatch(unreadable);
    expect(lines.find((line) => line.startsWith("flows/m-"))).toMatch(
      /^flows\/m-circle\.yaml:1:1: cannot be read: ELOOP/,
    );

    const [bad, twin, good] = [
      await project.line("run e-keys"),
      await project.line("run twin"),
      await project.run("good"),
    ];
    expect(bad.code).toBe(2);
    expect(bad.stderr).toMatch(/^flows\/e-keys\.yaml:2:35 source\.strem: /m);
    expect(bad.stderr).toMatch(
      /^error\[PROJECT_INVALID\]: 4 problems in 1 file; nothing was done\nfix: Correct them; `sluice validate` checks again/m,
    );
    expect(twin.code).toBe(2);
    expect(twin.stderr).toContain("error[FLOW_UNKNOWN]: there is no flow named twin");
    expect(good.code).toBe(0);
    expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
  });

  it.each([
    [
      "an unknown stream",
      "",
      "Acount",
      /^error\[SALESFORCE_UNKNOWN_OBJECT\] flows\/bad\.yaml source\.stream: there is no object "Acount"\nfix: Did you mean Account\?$/m,
    ],
    [
      "an unknown field in map",
      "map: [{ from: Nmae, to: name }, { from: Id, to: id }]",
      "Account",
      /^error\[FLOW_INVALID\] flows\/bad\.yaml:3:15 map\[0\]\.from: the stream Account has no field "Nmae" \(did you mean "Name"\?\)/m,
    ],
    [
      "an unknown field of a parent",
      "map: [{ from: Owner.Nmae, to: name }]",
      "Account",
      /^error\[SALESFORCE_UNKNOWN_FIELD\] flows\/bad\.yaml Owner\.Nmae: User has no field Nmae \(in Owner\.Nmae\)\nfix: Did you mean Name/m,
    ],
    [
      "an unknown field in filter, and a value of the wrong type",
      "filter: [{ field: Industri, equals: Banking }, { field: NumberOfEmployees, greaterThan: many }]",
      "Account",
      /^error\[FLOW_INVALID\] flows\/bad\.yaml:3:19 filter\[0\]\.field: the stream Account has no field "Industri" \(did you mean "Industry"\?\)\nflows\/bad\.yaml:3:89 filter\[1\]\.greaterThan: expected a number, since NumberOfEmployees is of type integer, found "many"\nfix: Correct the flow; `sluice plan <flow>`/m,
    ],
    [
      "an unknown field in validate",
      "validate: [{ field: Naem, rule: notNull }]",
      "Account",
      /^error\[FLOW_INVALID\] flows\/bad\.yaml:3:21 validate\[0\]\.field: there is no mapped field "Naem" \(did you mean "Name"\?\)/m,
    ],
    [
      "an unknown field in a sink's key",
      "",
      "Account",
      /^error\[FLOW_INVALID\] flows\/bad\.yaml:5:\d+ sinks\[0\]\.key\[0\]: there is no mapped field "id" \(did you mean "Id"\?\)/m,
    ],
    [
      "an unknown field to partition by",
      "",
      "Account",
      /^error\[PARTITION_FIELD\] .*cannot partition by "Creatd", which is no mapped field\nfix: Use one of Id, /m,
    ],
  ] as const)("with %s end before anything is read or made", async (what, more, stream, expected) => {
    const sinks: Record<string, string> = {
      "an unknown field in a sink's key": "{ connection: warehouse, table: t, write: upsert, key: [id] }",
      "an unknown field to partition by": '{ connection: files, path: p, partitionBy: ["year(Creatd)"] }',
    };
    const project = makeProject();
    project.flow("bad", stream, [sinks[what] ?? JSONL], more);
    const { code, document, stderr } = await project.run("bad");
    expect(stderr).toMatch(expected);
    expect(code).toBe(2);
    expect(document).toMatchObject({ status: "failed", records: { fetched: 0 }, error: { class: "config" } });
    expect(existsSync(join(project.dir, "landed"))).toBe(false);
    expect(existsSync(join(project.dir, "warehouse.duckdb"))).toBe(false);
  });
});

describe("a sluice.yaml with mistakes", OPTIONS, () => {
  it("refuses everything for its own settings, and only their flows for connections", async () => {
    const settings = makeProject({ settings: { dataDri: ".sluice", buffer: "{ type: durabel }" } });
    const refused = await settings.line("run good");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^sluice\.yaml:2:1 dataDri: unknown key "dataDri" \(did you mean "dataDir"\?\)$/m,
    );
    expect(refused.stderr).toMatch(
      /^sluice\.yaml:3:17 buffer\.type: expected one of durable, .*found "durabel"/m,
    );
    expect(existsSync(join(settings.dir, ".sluice"))).toBe(false);

    const project = makeProject({
      connections: {
        attic: `{ connector: s3, bucket: "\${env:ATTIC_BUCKET}", region: us-east-1 }`,
        cellar: "{ connector: redshft, host: x }",
        vault: `{ connector: folder, path: "\${file:secrets/path.txt}" }`,
      },
    });
    project.flow("to-attic", "Account", ["{ connection: attic, path: a }"]);
    project.flow("to-cellar", "Account", ["{ connection: cellar, path: a }"]);
    const told = [
      "sluice.yaml:7:36 connections.attic.bucket: the environment variable ATTIC_BUCKET is not set (set it before starting sluice, e.g. export ATTIC_BUCKET=...)",
      'sluice.yaml:8:24 connections.cellar.connector: there is no connector "redshft" (valid: salesforce, duckdb, folder, s3)',
    ];
    const attic = await project.line("run to-attic");
    expect(attic.code).toBe(2);
    expect(attic.stderr).toContain(told[0]);
    expect(attic.stderr).toContain(
      'flows/to-attic.yaml:5:19 sinks[0].connection: the connection "attic" has a problem of its own: see sluice.yaml:7:3',
    );
    const cellar = await project.line("run to-cellar");
    expect(cellar.code).toBe(2);
    expect(cellar.stderr).toMatch(
      /^sluice\.yaml:8:24 connections\.cellar\.connector: there is no connector "redshft"/m,
    );

    const good = await project.run("good");
    expect(good.code).toBe(0);
    expect(good.stderr).toContain(`warning: ${told[0]}`);
    expect(good.stderr).toMatch(
      /^warning: sluice\.yaml:9:\d+ connections\.vault\.path: .*secrets\/path\.txt/m,
    );
    const checked = await project.line("check --json");
    expect(checked.code).toBe(2);
    expect(JSON.parse(checked.stdout)).toMatchObject([
      {
        connection: "attic",
        connector: null,
        error: { code: "PROJECT_INVALID", problems: [{ code: "ENV_MISSING" }] },
      },
      { connection: "cellar", error: { problems: [{ code: "CONNECTOR_UNKNOWN" }] } },
      { connection: "vault", error: { problems: [{ line: 9 }] } },
      { connection: "salesforce", connector: "salesforce", error: null },
      { connection: "files", error: null },
      { connection: "lake", error: { code: "S3_NETWORK" } },
      { connection: "warehouse", error: null },
    ]);
    const set = await project.line("validate", { ATTIC_BUCKET: "attic" });
    expect(set.code).toBe(2);
    expect(set.stdout).not.toContain("attic");
  });

  it("cannot be read: one line says which file and why, for every command", async () => {
    const project = makeProject();
    project.write({ "sluice.yaml": "connections:\n\tsalesforce: {}\n" });
    for (const command of ["validate", "run good", "check"]) {
      const exit = await project.line(command);
      expect(exit.code).toBe(2);
      expect(exit.stdout + exit.stderr).toMatch(
        /^sluice\.yaml:2:1: expected spaces: YAML allows no tabs for indentation$/m,
      );
    }
  });
});
