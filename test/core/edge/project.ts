import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach } from "vitest";

const made: string[] = [];

afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A folder with these files, removed after the test. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  made.push(dir);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return dir;
}

/** sluice.yaml with the source `crm` and the sink `files`, over the connectors of fake-connectors.ts. */
export function settings(dir = "landed"): string {
  return `connections:
  crm: { connector: org }
  files: { connector: landing, dir: ${dir} }
`;
}

export function flowText(name: string, more = ""): string {
  return `name: ${name}
source: { connection: crm, stream: Account }
${more}
sinks:
  - { connection: files, path: ${name} }
`;
}
