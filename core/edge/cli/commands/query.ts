import { createWriteStream, existsSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { ConfigError, type Sink } from "../../../contracts/index.js";
import type { Project } from "../../../flow/types.js";
import type { RunHost } from "../../../run/types.js";
import { type CommandContext, defineCommand } from "../command.js";
import { EXIT } from "../exit-code.js";
import { flowNames } from "../flow-status.js";
import { count } from "../input.js";
import { toJson } from "../json.js";
import { type LandedFiles, landedFiles, viewName } from "../landed-files.js";
import type { Output } from "../output.js";
import { bytesText, countText, plural } from "../quantity.js";
import type { QueryDatabase, QueryRows } from "../query-database.js";
import { table } from "../table.js";

const ROWS_SHOWN = 100;
/** A longest JSON document: rows are gathered before they are printed. */
const MOST_ROWS = 1_000_000;
/** Files behind a network address are copied here first; a larger lake is for a warehouse to ask. */
const MOST_DOWNLOADED = 1_000_000_000;
const CELL_WIDTH = 60;

export const query = defineCommand({
  name: "query",
  summary: "ask SQL over the DuckDB warehouse and the files that flows landed",
  details:
    "Tables of DuckDB connections go by their own names, or as <connection>.<table>; the files of a flow are a view\n" +
    "named after the flow, with _ for -. Everything is read-only. `SHOW ALL TABLES` names them all; without SQL they\n" +
    "are listed. The SQL is DuckDB's.",
  arguments: [{ name: "sql", form: "[sql]", description: "one statement" }],
  options: [
    {
      flags: "--limit <count>",
      description: `at most so many rows (default: ${ROWS_SHOWN}; with --json ${countText(MOST_ROWS)})`,
    },
  ],
  examples: [
    'sluice query "select Industry, count(*) from salesforce_accounts group by all order by 2 desc"',
    'sluice query "select * from warehouse.accounts" --json',
  ],
  input: z.object({
    sql: z.string().optional(),
    limit: count(0).refine((limit) => limit <= MOST_ROWS, `expected a number up to ${MOST_ROWS}`),
  }),
  async run({ sql, limit }, context) {
    const { shell, output, workspace } = context;
    if (sql !== undefined && sql.trim() === "") {
      throw new ConfigError("SQL", "the query is empty", {
        place: "query",
        fix: 'Write one: sluice query "select 1".',
      });
    }
    const project = await workspace.projectToLookAt();
    const host = await workspace.host();
    const { QueryDatabase } = await import("../query-database.js");
    const database = await QueryDatabase.open();
    try {
      await register(database, host, project, context, sql ?? "");
      if (sql === undefined) {
        output.result(database.tables, () => tablesText(database, output));
        return EXIT.done;
      }
      const most = limit > 0 ? limit : output.json ? MOST_ROWS : ROWS_SHOWN;
      const result = await database.query(sql, most, shell.signal, shell.clock);
      output.result(result.rows, () => rowsText(result, output));
      if (result.more) output.line(`The first ${countText(most)} rows; --limit ${most * 10} shows more.`);
    } finally {
      database.close();
    }
    return EXIT.done;
  },
});

/** Attaches the databases and makes the views. What cannot be read is a warning: the rest still answers. */
async function register(
  database: QueryDatabase,
  host: RunHost,
  project: Project,
  context: CommandContext,
  sql: string,
): Promise<void> {
  const { connectSink } = await import("../../../run/index.js");
  const sinks = new Map<string, Sink>();
  try {
    for (const { name, role } of project.connections.values()) {
      if (role !== "sink") continue;
      const sink = connectSink(host, name);
      sinks.set(name, sink);
      if (sink.databaseFile !== undefined && existsSync(sink.databaseFile)) {
        const file = sink.databaseFile;
        await orWarn(name, context, () =>
          database.attach(name, file, context.shell.signal, context.shell.clock),
        );
      }
    }
    for (const flow of flowNames(project, host.environment)) {
      const landed = landedFiles(flow, project.flows.get(flow), host.environment.store);
      // Of several sinks with files the one that costs no download.
      const chosen = landed.find(({ local }) => local) ?? landed[0];
      if (chosen === undefined) continue;
      const name = viewName(flow);
      const origin = `${chosen.connection}: ${plural(chosen.files.length, `${chosen.format} file`)}`;
      // A download is made only for a view that the query may name.
      if (!chosen.local && !sql.toLowerCase().includes(name.toLowerCase())) {
        database.announce(name, `${origin}, copied here when asked for`);
        continue;
      }
      await orWarn(flow, context, async () => {
        const files = chosen.local
          ? chosen.files.map(({ path }) => path)
          : await download(chosen, sinks.get(chosen.connection), database.dir, context);
        await database.view(name, chosen.format, files, origin);
      });
    }
  } finally {
    for (const sink of sinks.values()) await sink.close();
  }
}

async function orWarn(place: string, context: CommandContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (context.shell.signal.aborted) throw error;
    const { message } = context.workspace.failureOf(error);
    context.output.warn(`${place} cannot be queried: ${message}`);
  }
}

async function download(
  landed: LandedFiles,
  sink: Sink | undefined,
  dir: string,
  { shell, output }: CommandContext,
): Promise<string[]> {
  if (sink?.download === undefined) {
    throw new ConfigError(
      "FILES_UNREACHABLE",
      `the files of ${landed.connection} can only be read where they are`,
    );
  }
  const bytes = landed.files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > MOST_DOWNLOADED) {
    throw new ConfigError(
      "FILES_TOO_LARGE",
      `its ${plural(landed.files.length, "file")} in ${landed.connection} hold ${bytesText(bytes)}, and at most ${bytesText(MOST_DOWNLOADED)} are copied here to be queried`,
    );
  }
  output.note(
    `Copying ${plural(landed.files.length, "file")} (${bytesText(bytes)}) of ${landed.flow} from ${landed.connection}.`,
  );
  const paths: string[] = [];
  for (const [index, file] of landed.files.entries()) {
    const path = join(dir, `${index}-${file.path.slice(file.path.lastIndexOf("/") + 1)}`);
    await pipeline(Readable.from(sink.download(file.path, shell.signal)), createWriteStream(path));
    paths.push(path);
  }
  return paths;
}

function tablesText(database: QueryDatabase, output: Output): string {
  if (database.tables.length === 0) return "Nothing has landed yet: run a flow first.";
  return table(
    database.tables,
    [
      { title: "table", value: ({ name }) => name },
      { title: "from", value: ({ origin }) => origin },
    ],
    output.title,
  );
}

function rowsText({ columns, rows }: QueryRows, output: Output): string {
  if (columns.length === 0) return "Done.";
  const text = table(
    rows,
    columns.map(({ name, number }) => ({
      title: name,
      value: (row) => cellText(row[name]),
      align: number ? "right" : "left",
      widest: CELL_WIDTH,
    })),
    output.title,
  );
  return `${text}\n\n${plural(rows.length, "row")}`;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "string" ? value : toJson(value, 0);
}
