/*
 * A folder on this machine (or a mounted share): Parquet, jsonl or csv files that DuckDB, pandas, Spark and spreadsheets
 * read. Nothing but a file system is needed. Files appear under their names whole or not at all, are never
 * overwritten, and are on disk before they count.
 */
import { resolve } from "node:path";
import { z } from "zod";
import {
  type CheckReport,
  type ConnectorContext,
  type Sink,
  type SinkConnector,
  type SinkSpec,
  text,
} from "../../core/contracts/index.js";
import { FileSinkWriter, FileTarget, fileTargetSchema } from "../../core/format/index.js";
import { checkFolder } from "./check.js";
import { type FileSystem, nodeFileSystem } from "./filesystem.js";
import { FolderStore } from "./store.js";

const configSchema = z.strictObject({
  path: text().describe("The folder, absolute or relative to sluice.yaml. It is made when it is not there."),
});

const spec: SinkSpec = {
  name: "folder",
  title: "Folder",
  description: "Files in a folder on this machine: Parquet, jsonl or csv.",
  configSchema,
  targetSchema: fileTargetSchema,
  capabilities: { kind: "files", writeModes: ["append", "replace"], loadBytes: 128_000_000 },
};

/** The folder sink over a file system; tests give one that fails. */
export function folderSink(fs: FileSystem): SinkConnector {
  return { spec, connect: (config, context) => connect(configSchema.parse(config), context, fs) };
}

export const folder: SinkConnector = folderSink(nodeFileSystem);

function connect(config: z.output<typeof configSchema>, context: ConnectorContext, fs: FileSystem): Sink {
  const { clock, random, log, tmpDir, projectDir } = context;
  const root = resolve(projectDir ?? ".", config.path);
  return {
    check: (signal): Promise<CheckReport> => checkFolder(root, fs, random, signal),
    open: (target, flow) =>
      new FileSinkWriter({
        store: new FolderStore({ root, fs, clock, random }),
        prefix: "",
        target: FileTarget.from(target),
        flow,
        tmpDir,
        log,
      }),
    close: () => Promise.resolve(),
  };
}
