import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect } from "vitest";
import type { S3Fake } from "../fakes/s3/index.js";
import type { SalesforceFake } from "../fakes/salesforce/index.js";
import { type SluiceExit, type SluiceProcess, startSluice } from "../sluice-process.js";

/** One run as `sluice run --json` prints it. */
export interface RunDocument {
  readonly flow: string;
  readonly run: string | null;
  readonly status: string;
  readonly records: Readonly<
    Record<"fetched" | "filtered" | "dropped" | "deadLettered" | "loaded" | "queued", number>
  >;
  readonly repeated: number;
  readonly earlier?: { readonly runs: number; readonly records: number };
  readonly error: {
    readonly class: string;
    readonly code: string;
    readonly message: string;
    readonly place?: string;
    readonly fix?: string;
  } | null;
}

/** A dead letter as `sluice dead-letters list --json` prints it. */
export interface DeadLetter {
  readonly messageId: string;
  readonly flow: string;
  readonly stage: string;
  readonly rule: string;
  readonly reason: string;
}

/** How a ScratchProject starts commands; the tests of a full disk start them somewhere else. */
export type Start = typeof startSluice;

/** A project folder with the connections salesforce, files (folder), lake (S3) and warehouse (DuckDB). */
export class ScratchProject {
  readonly dir: string;
  readonly env: Record<string, string>;
  readonly #start: Start;

  constructor(
    org: SalesforceFake,
    options: {
      readonly s3?: S3Fake;
      readonly start?: Start;
      /** Lines of sluice.yaml that replace those of the same first word, or are added. */
      readonly settings?: Readonly<Record<string, string>>;
      /** Entries below `connections`, as YAML. */
      readonly connections?: Readonly<Record<string, string>>;
    } = {},
  ) {
    this.dir = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
    this.#start = options.start ?? startSluice;
    const { s3 } = options;
    this.env = {
      ...org.environment(),
      S3_ENDPOINT: s3?.url ?? "http://127.0.0.1:9",
      AWS_ACCESS_KEY_ID: s3?.accessKeyId ?? "AKIAFAKE",
      AWS_SECRET_ACCESS_KEY: s3?.secretAccessKey ?? "fake-secret",
    };
    const auth = `{ type: clientCredentials, clientId: "\${env:SF_CLIENT_ID}", clientSecret: "\${env:SF_CLIENT_SECRET}" }`;
    const connections: Record<string, string> = {
      salesforce: `{ connector: salesforce, instanceUrl: "\${env:SF_URL}", auth: ${auth} }`,
      files: "{ connector: folder, path: landed }",
      lake:
        `{ connector: s3, bucket: lake, region: us-east-1, endpoint: "\${env:S3_ENDPOINT}", forcePathStyle: true,` +
        ` accessKeyId: "\${env:AWS_ACCESS_KEY_ID}", secretAccessKey: "\${env:AWS_SECRET_ACCESS_KEY}" }`,
      warehouse: "{ connector: duckdb, path: warehouse.duckdb }",
      ...options.connections,
    };
    const settings: Record<string, string> = { dataDir: ".sluice", ...options.settings };
    this.write({
      "sluice.yaml": [
        ...Object.entries(settings).map(([key, value]) => `${key}: ${value}`),
        "connections:",
        ...Object.entries(connections).map(([name, entry]) => `  ${name}: ${entry}`),
        "",
      ].join("\n"),
    });
  }

  /** Files below the project's folder, overwritten where they are there. */
  write(files: Readonly<Record<string, string | Uint8Array>>): void {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.dir, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
  }

  /** Removes a file or folder of the project. */
  clear(name: string): void {
    rmSync(join(this.dir, name), { recursive: true, force: true });
  }

  /** A flow of `stream` into `sinks`, each a YAML mapping; `more` holds whole top-level keys. */
  flow(name: string, stream: string, sinks: readonly string[], more = ""): void {
    this.write({
      [`flows/${name}.yaml`]: `name: ${name}
source: { connection: salesforce, stream: ${stream} }
${more}
sinks:
${sinks.map((sink) => `  - ${sink}`).join("\n")}
`,
    });
  }

  start(line: string, env: Readonly<Record<string, string>> = {}): SluiceProcess {
    return this.#start(line.split(" "), { cwd: this.dir, env: { ...this.env, ...env } });
  }

  /** Runs a command to its end. */
  line(line: string, env?: Readonly<Record<string, string>>): Promise<SluiceExit> {
    return this.start(line, env).exit;
  }

  /** `sluice run <flow> --json`; its account must balance whatever became of it. */
  async run(flow: string): Promise<SluiceExit & { readonly document: RunDocument }> {
    const exit = await this.line(`run ${flow} --json`);
    return { ...exit, document: documentOf(exit) };
  }

  async deadLetters(flow: string): Promise<DeadLetter[]> {
    const { stdout } = await this.line(`dead-letters list --flow ${flow} --limit 0 --json`);
    return JSON.parse(stdout) as DeadLetter[];
  }

  /** Records of the jsonl files below a folder, in no particular order; `root`: where the project's folder is seen. */
  landed(path: string, root = this.dir): Record<string, unknown>[] {
    const folder = join(root, "landed", path);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(folder, name), "utf8").trimEnd().split("\n"))
      .filter((text) => text !== "")
      .map((text) => JSON.parse(text) as Record<string, unknown>);
  }

  /** Values of the first column of a query over a DuckDB file, which is copied first: it may lie in a strange place. */
  async rows(sql: string, file = join(this.dir, "warehouse.duckdb")): Promise<unknown[]> {
    const copy = join(this.dir, "copy.duckdb");
    try {
      copyFileSync(file, copy);
      if (existsSync(`${file}.wal`)) copyFileSync(`${file}.wal`, `${copy}.wal`);
      return await this.query(sql, copy);
    } finally {
      rmSync(copy, { force: true });
      rmSync(`${copy}.wal`, { force: true });
    }
  }

  /** The same over a database file as it is, or over files alone. */
  async query(sql: string, database = ":memory:"): Promise<unknown[]> {
    const instance = await DuckDBInstance.create(database);
    const connection = await instance.connect();
    try {
      const result = await connection.runAndReadAll(sql);
      return result.getRows().map(([value]) => value);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The only document of `sluice run --json`; its account must balance whatever became of the run. */
export function documentOf(exit: SluiceExit): RunDocument {
  const value: unknown = JSON.parse(exit.stdout);
  if (!Array.isArray(value) || value.length !== 1)
    throw new Error(`not one run: ${exit.stdout}\n${exit.stderr}`);
  const document = value[0] as RunDocument;
  const { fetched, filtered, dropped, deadLettered, loaded, queued } = document.records;
  expect(filtered + dropped + deadLettered + loaded + queued).toBe(fetched);
  return document;
}

/** Ids of an object's live rows, sorted: what must land, each once. */
export function liveIds(org: SalesforceFake, object: string): string[] {
  return [...org.org.table(object).rows()]
    .filter((row) => !row.deleted && !row.gone)
    .map((row) => row.id)
    .sort();
}

/** The same of landed records. */
export function landedIds(records: readonly Record<string, unknown>[]): string[] {
  return records.map(({ Id }) => String(Id)).sort();
}

/** Resolves when the fake has struck with this kind of fault (so often); throws when the process ends before. */
export async function struck(
  org: SalesforceFake,
  kind: string,
  { exit }: SluiceProcess,
  times = 1,
): Promise<void> {
  let ended: SluiceExit | undefined;
  void exit.then((value) => {
    ended = value;
  });
  while ((org.faults.struck[kind] ?? 0) < times) {
    if (ended !== undefined) throw new Error(`the process ended before: ${JSON.stringify(ended)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Resolves when the process has said this on standard error; throws when it ends without. */
export async function said(words: string, { child, exit }: SluiceProcess): Promise<string> {
  let text = "";
  const heard = new Promise<string>((resolve) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(words)) resolve(text);
    });
  });
  const ended = exit.then((value): never => {
    throw new Error(`the process ended without "${words}": ${JSON.stringify(value)}`);
  });
  return Promise.race([heard, ended]);
}
