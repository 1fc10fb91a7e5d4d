/**
 * Writes the generated files: flow.schema.json, flows/README.md, connectors/README.md. `--check` writes nothing and
 * exits with 1 when one of them is out of date.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectors } from "../connectors/index.js";
import { connectorsPage, flowJsonSchema, flowsPage } from "../core/flow/index.js";

/** Folder of package.json, from here or from dist. */
function repository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Every generated file, by its path in the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["flow.schema.json", `${JSON.stringify(flowJsonSchema(connectors), null, 2)}\n`],
    ["flows/README.md", flowsPage(connectors)],
    ["connectors/README.md", connectorsPage(connectors)],
  ]);
}

/** Paths of generated files whose content on disk is another one, or missing. */
export function outdatedFiles(root = repository()): string[] {
  return [...generatedFiles()]
    .filter(
      ([path, content]) =>
        !existsSync(join(root, path)) || readFileSync(join(root, path), "utf8") !== content,
    )
    .map(([path]) => path);
}

function main(check: boolean): void {
  const root = repository();
  const outdated = outdatedFiles(root);
  if (check) {
    for (const path of outdated) process.stderr.write(`${path} is out of date: run \`npm run docs\`\n`);
    process.exitCode = outdated.length === 0 ? 0 : 1;
    return;
  }
  const files = generatedFiles();
  for (const path of outdated) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), files.get(path) ?? "");
    process.stdout.write(`wrote ${path}\n`);
  }
  if (outdated.length === 0) process.stdout.write("generated files are up to date\n");
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url))
  main(process.argv.includes("--check"));
