import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MeasuredSource } from "./measured-source.js";

/** A project with one flow, named as the source, into JSON lines. JSON is YAML. */
export function writeSourceProject(dir: string, source: MeasuredSource): void {
  const { name, stream, options, connection } = source;
  mkdirSync(join(dir, "flows"), { recursive: true });
  const project = {
    dataDir: ".sluice",
    connections: {
      [name]: { connector: name, ...connection },
      files: { connector: "folder", path: "landed" },
    },
    buffer: { highWater: "8GiB" },
  };
  const flow = {
    name,
    source: { connection: name, stream, options },
    sinks: [{ connection: "files", path: name, format: "jsonl", compression: "none" }],
  };
  writeFileSync(join(dir, "sluice.yaml"), JSON.stringify(project));
  writeFileSync(join(dir, "flows", `${name}.yaml`), JSON.stringify(flow));
}
