import { appendFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import {
  AuthError,
  ConfigError,
  type FieldType,
  type LoadReceipt,
  RecordError,
  type SinkConnector,
  type SourceConnector,
  type SourceRecord,
  secret,
  TransientError,
  throwIfCancelled,
} from "../../../core/contracts/index.js";
import type { Connectors } from "../../../core/flow/types.js";

export interface Org {
  /** Rows of the stream `Account`, in the order of their cursor; tests change them between command lines. */
  rows: SourceRecord[];
  pageSize: number;
  /** What asking for pages, describing and checking end with. */
  failure: Error | undefined;
  /** Called before each page: the place to abort, or to wait. */
  beforePage?: (page: number) => Promise<void> | void;
}

const FIELDS: readonly (readonly [string, FieldType])[] = [
  ["Id", "string"],
  ["Name", "string"],
  ["Employees", "integer"],
  ["Revenue", "decimal"],
  ["Changed", "timestamp"],
];

export function account(number: number, values: SourceRecord = {}): SourceRecord {
  return {
    Id: `001${String(number).padStart(5, "0")}`,
    Name: `Account ${number}`,
    Employees: number,
    Revenue: number / 4,
    Changed: new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString(),
    ...values,
  };
}

export function orgOf(count: number): Org {
  return {
    rows: Array.from({ length: count }, (_, index) => account(index)),
    pageSize: 10,
    failure: undefined,
  };
}

/** A source over `org`: cursor `Changed`, pages of `org.pageSize`. */
function sourceConnector(org: Org): SourceConnector {
  const orFail = () => {
    if (org.failure !== undefined) throw org.failure;
  };
  return {
    spec: {
      name: "org",
      title: "Org",
      description: "Rows of a test",
      configSchema: z.strictObject({ token: secret().optional().describe("Token.") }),
      optionsSchema: z.strictObject({}),
      streams: "dynamic",
    },
    connect: () => {
      let calls = 0;
      return {
        check: async () => {
          orFail();
          return {
            identity: "ada@example.com",
            details: { "API calls left": "14,998" },
            warnings: ["no right to read Contract: ask the administrator for it"],
          };
        },
        discover: async () => [
          { name: "Account", label: "Accounts", readable: true },
          { name: "Vote", label: "Votes", readable: false, reason: "needs a filter by parent" },
        ],
        describe: async (stream) => {
          orFail();
          if (stream !== "Account") {
            throw new ConfigError("STREAM_UNKNOWN", `there is no stream ${stream} (did you mean Account?)`);
          }
          return {
            stream,
            fields: FIELDS.map(([name, type]) => ({
              name,
              type,
              filterable: name !== "Name",
              ...(type === "decimal" ? { precision: 18, scale: 2 } : {}),
            })),
            primaryKey: ["Id"],
            cursors: ["Changed"],
            defaultLookbackMs: 0,
          };
        },
        plan: async (request) => ({
          query: `SELECT ${request.fields.join(", ")} FROM Account`,
          pushedDown: [],
          notPushedDown: ["Employees greaterThan 5"],
          window: { from: null, to: "2026-02-01T00:00:00.000Z" },
          records: org.rows.length,
          apiCalls: Math.ceil(org.rows.length / org.pageSize),
        }),
        read: async function* (request) {
          const from = typeof request.cursor === "string" ? request.cursor : undefined;
          const rows = org.rows.filter((row) => {
            const changed = Date.parse(String(row.Changed));
            return (
              (from === undefined || String(row.Changed) > from) &&
              (request.from === undefined || changed >= request.from) &&
              (request.to === undefined || changed < request.to)
            );
          });
          for (let at = 0; at < rows.length; at += org.pageSize) {
            await org.beforePage?.(at / org.pageSize);
            throwIfCancelled(request.signal);
            orFail();
            calls++;
            const records = rows.slice(at, at + org.pageSize);
            yield {
              records,
              cursor: String(records.at(-1)?.Changed),
              bytes: records.length * 100,
              window: { from: from ?? null, to: "2026-02-01T00:00:00.000Z" },
            };
          }
        },
        apiCalls: () => calls,
        close: async () => undefined,
      };
    },
  };
}

export interface Landing {
  /** What writing ends with. */
  failure: Error | undefined;
  /** Records whose line holds this text are refused. */
  refused: string | undefined;
}

/** A sink that writes each load into one jsonl file. */
function sinkConnector(landing: Landing): SinkConnector {
  return {
    spec: {
      name: "landing",
      title: "Landing",
      description: "Files of a test",
      configSchema: z.strictObject({ dir: z.string().describe("Folder.") }),
      targetSchema: z.strictObject({ path: z.string().describe("Folder below.") }),
      capabilities: { kind: "files", writeModes: ["append"], loadBytes: 1_000_000 },
    },
    connect: (config, { projectDir = "." }) => {
      const { dir } = z.object({ dir: z.string() }).parse(config);
      return {
        check: async () => ({ identity: dir, details: {}, warnings: [] }),
        open: (target) => {
          const { path } = z.object({ path: z.string() }).parse(target);
          const folder = resolve(projectDir, dir, path);
          return {
            target: folder,
            mode: "append",
            loadBytes: 1_000_000,
            prepare: async () =>
              existsSync(folder) ? [] : [{ kind: "createTable", text: `creates the folder ${folder}` }],
            write: async (load): Promise<LoadReceipt> => {
              if (landing.failure !== undefined) throw landing.failure;
              const file = join(folder, `${load.id}.jsonl`);
              const texts: string[] = [];
              for await (const chunk of load.chunks()) texts.push(chunk.toString());
              const text = texts.join("");
              if (landing.refused !== undefined && text.includes(landing.refused)) {
                throw new RecordError("REFUSED", `the name ${landing.refused} is not welcome`);
              }
              mkdirSync(dirname(file), { recursive: true });
              rmSync(file, { force: true });
              appendFileSync(file, text);
              const { records } = load;
              const bytes = Buffer.byteLength(text);
              return { records, bytes, files: [{ path: file, records, bytes }], repeated: false };
            },
            finish: async () => undefined,
            close: async () => undefined,
          };
        },
        close: async () => undefined,
      };
    },
  };
}

export function fakeConnectors(
  org: Org,
  landing: Landing = { failure: undefined, refused: undefined },
): Connectors {
  return {
    sources: new Map([["org", sourceConnector(org)]]),
    sinks: new Map([["landing", sinkConnector(landing)]]),
  };
}

export const refusedLogin = () =>
  new AuthError("ORG_LOGIN", "the login is refused", { place: "org", fix: "Renew the token." });
export const unreachable = () => new TransientError("ORG_DOWN", "the org does not answer", { place: "org" });
