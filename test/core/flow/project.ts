/** Tiny connectors and throw-away projects for the tests of core/flow. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach } from "vitest";
import { z } from "zod";
import {
  duration,
  type Field,
  InvariantError,
  integer,
  type SinkConnector,
  type SourceConnector,
  secret,
  size,
  text,
  url,
} from "../../../core/contracts/index.js";
import {
  type Connectors,
  compileFlow,
  formatProblem,
  loadProject,
  type Plan,
  type Project,
} from "../../../core/flow/index.js";

const neverConnected = (): never => {
  throw new InvariantError("TEST", "lint opens no connection");
};

const crm: SourceConnector = {
  spec: {
    name: "crm",
    title: "CRM",
    description: "A source for tests.",
    configSchema: z.strictObject({
      instanceUrl: url().describe("Address of the account."),
      auth: z
        .discriminatedUnion("type", [
          z.strictObject({
            type: z.literal("token").describe("A token."),
            accessToken: secret().describe("Token."),
          }),
          z.strictObject({
            type: z.literal("jwt").describe("JWT bearer."),
            username: text().describe("User."),
            privateKey: secret().describe("Key."),
          }),
        ])
        .describe("How to sign in."),
      pageSize: integer({ min: 1, max: 2000 }).default(2000).describe("Records of a page."),
      timeout: duration().prefault("30s").describe("Timeout of a request."),
    }),
    optionsSchema: z.strictObject({
      deleted: z.enum(["include", "exclude"]).default("exclude").describe("Deleted records."),
    }),
    streams: "dynamic",
    limits: "2,000 records per call.",
  },
  connect: neverConnected,
};

const tickets: SourceConnector = {
  spec: {
    ...crm.spec,
    name: "desk",
    title: "Desk",
    configSchema: z.strictObject({}),
    streams: ["tickets", "users"],
  },
  connect: neverConnected,
};

const files: SinkConnector = {
  spec: {
    name: "files",
    title: "Files",
    description: "A sink for tests.",
    configSchema: z.strictObject({ path: text().describe("Folder.") }),
    targetSchema: z.strictObject({
      path: text().describe("Folder below the connection's."),
      format: z.enum(["parquet", "jsonl", "csv"]).default("jsonl").describe("File format."),
      fileSize: size().prefault("128MB").describe("Size of a file."),
      write: z.enum(["append", "replace"]).default("append").describe("Write mode."),
    }),
    capabilities: { kind: "files", writeModes: ["append", "replace"], loadBytes: 1 },
  },
  connect: neverConnected,
};

const tables: SinkConnector = {
  spec: {
    name: "tables",
    title: "Tables",
    description: "A table sink for tests.",
    configSchema: z.strictObject({ password: secret().optional().describe("Password.") }),
    targetSchema: z.strictObject({
      table: text().describe("Table."),
      write: z.enum(["append", "upsert"]).default("append").describe("Write mode."),
      key: z.array(text()).optional().describe("Key."),
      schemaChange: z.enum(["evolve", "refuse"]).default("evolve").describe("New columns."),
    }),
    capabilities: { kind: "table", writeModes: ["append", "upsert"], loadBytes: 1 },
  },
  connect: neverConnected,
};

export const connectors: Connectors = {
  sources: new Map([
    ["crm", crm],
    ["desk", tickets],
  ]),
  sinks: new Map([
    ["files", files],
    ["tables", tables],
  ]),
};

export const SLUICE_YAML = `connections:
  crm: { connector: crm, instanceUrl: https://crm.example, auth: { type: token, accessToken: secret-token } }
  desk: { connector: desk }
  lake: { connector: files, path: out }
  warehouse: { connector: tables }
`;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Writes the files into a new folder, removed after the test. */
export function folderWith(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-flow-"));
  folders.push(dir);
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  return dir;
}

/** A project of these files; sluice.yaml has the four connections unless given. */
export function project(
  contents: Readonly<Record<string, string | Uint8Array>>,
  env: Record<string, string> = {},
): Project {
  const dir = folderWith({ "sluice.yaml": SLUICE_YAML, ...contents });
  return loadProject({ project: dir, cwd: dir, env, connectors });
}

/** The lines `sluice validate` would print, `<project>` for the folder's own path. */
export function lint(
  contents: Readonly<Record<string, string | Uint8Array>>,
  env: Record<string, string> = {},
): string[] {
  const { dir, problems } = project(contents, env);
  return problems.map((problem) => formatProblem(problem).replaceAll(dir, "<project>"));
}

const HEAD = `name: deals
source: { connection: crm, stream: Opportunity }
`;
const SINKS = "sinks: [{ connection: lake, path: deals }]\n";

/** A flow file with this middle part. */
export const flowText = (middle: string, sinks = SINKS): string =>
  HEAD + middle + (middle.endsWith("\n") || middle === "" ? "" : "\n") + sinks;

/** A plan of a flow with this middle part over these fields. Fails when lint finds anything. */
export function plan(middle: string, fields: readonly Field[], sinks = SINKS): Plan {
  const loaded = project({ "flows/deals.yaml": flowText(middle, sinks) }, { PEPPER: "pepper" });
  const flow = loaded.flows.get("deals");
  if (flow === undefined) throw new InvariantError("TEST", loaded.problems.map(formatProblem).join("\n"));
  return compileFlow({ flow, fields });
}
