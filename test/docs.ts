/**
 * Writes the generated files: flow.schema.json, sluice.schema.json, flows/README.md, connectors/README.md. `--check` writes nothing and
 * exits with 1 when one of them is out of date.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectors } from "../connectors/index.js";
import {
  connectorsPage,
  type Example,
  flowJsonSchema,
  flowsPage,
  projectJsonSchema,
  YamlFile,
} from "../core/flow/index.js";

/** Folder of package.json, from here or from dist. */
function repository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** The flows of a folder by what they say of themselves; their secrets need not be there. */
function examplesIn(dir: string): Example[] {
  const names = existsSync(dir) ? readdirSync(dir).sort() : [];
  return names
    .filter((name) => /\.ya?ml$/.test(name) && !/^sluice\.ya?ml$/.test(name))
    .map((file) => {
      const yaml = new YamlFile(file, readFileSync(join(dir, file), "utf8"), { env: {}, dir });
      const description = yaml.at(["description"]);
      return { file, description: typeof description === "string" ? description.trim() : "" };
    });
}

/** JSON as Biome formats it: a list of plain values stands on one line where it fits. */
function json(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  const joined = text.replaceAll(
    /^( *)((?:"[^"]*": )?)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (whole, indent, key, items, comma) => {
      const line = `${indent}${key}[${items
        .split("\n")
        .map((item: string) => item.trim())
        .join(" ")}]${comma}`;
      return line.length <= 110 ? line : whole;
    },
  );
  return `${joined}\n`;
}

/** Every generated file, by its path in the repository. */
export function generatedFiles(root = repository()): ReadonlyMap<string, string> {
  return new Map([
    ["flow.schema.json", json(flowJsonSchema(connectors))],
    ["sluice.schema.json", json(projectJsonSchema(connectors))],
    ["flows/README.md", flowsPage(connectors, examplesIn(join(root, "flows")))],
    ["connectors/README.md", connectorsPage(connectors)],
  ]);
}

/** Paths of generated files whose content on disk is another one, or missing. */
export function outdatedFiles(root = repository()): string[] {
  return [...generatedFiles(root)]
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
  const files = generatedFiles(root);
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
