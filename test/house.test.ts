import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { outdatedFiles } from "./docs.js";

/* The rules of the house. Each failure names the better way. */

const root = fileURLToPath(new URL("..", import.meta.url));

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Files of the project it imports, types included. */
  readonly imports: readonly string[];
  /** The same without type-only imports: what exists when the program runs. */
  readonly runtime: readonly string[];
  readonly packages: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const found = [...text.matchAll(/^\s*(import|export)\s(type\s)?[^;"']*?from\s+"([^"]+)"/gm)];
  const loaded = [...text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map((match) => match[1] ?? "");
  const local = (specifier: string) =>
    relative(root, resolve(root, dirname(path), specifier))
      .replaceAll("\\", "/")
      .replace(/\.js$/, ".ts");
  const specifiers = [...found.map((match) => match[3] ?? ""), ...loaded];
  const isLocal = (specifier: string) => specifier.startsWith(".");
  return {
    path,
    text,
    imports: specifiers.filter(isLocal).map(local),
    runtime: [...found.filter((match) => match[2] === undefined).map((match) => match[3] ?? "")]
      .filter(isLocal)
      .map(local),
    packages: specifiers.filter((specifier) => !isLocal(specifier) && !specifier.startsWith("node:")),
  };
}

const core = filesBelow("core").map(readSource);
const connectors = filesBelow("connectors").map(readSource);
const tests = filesBelow("test").map(readSource);
const product = [...core, ...connectors];

/** Room of a file: `core/queue`, `connectors`. */
const roomOf = (path: string) =>
  path.startsWith("core/") ? path.split("/").slice(0, 2).join("/") : path.split("/")[0];

/** What each room may import (design: edge -> run -> flow, queue, store, format, http -> contracts). */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "core/contracts": [],
  "core/format": ["core/contracts"],
  "core/http": ["core/contracts"],
  "core/queue": ["core/contracts"],
  "core/store": ["core/contracts", "core/queue"],
  "core/flow": ["core/contracts"],
  "core/run": ["core/contracts", "core/flow", "core/queue", "core/store", "core/format", "core/http"],
  "core/edge": [
    "core/contracts",
    "core/flow",
    "core/queue",
    "core/store",
    "core/format",
    "core/http",
    "core/run",
    "connectors",
  ],
  connectors: ["core/contracts", "core/http", "core/format"],
};

describe("the house", () => {
  it("imports run one way", () => {
    const wrong = product.flatMap((file) => {
      const room = roomOf(file.path) ?? "";
      const allowed = ALLOWED[room];
      if (allowed === undefined)
        return [`${file.path}: room ${room} is not in the design; put it in a room that is`];
      return file.imports
        .filter((target) => roomOf(target) !== room && !allowed.includes(roomOf(target) ?? ""))
        .map(
          (target) => `${file.path} imports ${target}: ${room} may import ${allowed.join(", ") || "nothing"}`,
        );
    });
    expect(wrong).toEqual([]);
  });

  it("connectors do not know each other", () => {
    const owner = (path: string) => path.split("/")[1];
    const wrong = connectors
      .filter((file) => file.path !== "connectors/index.ts")
      .flatMap((file) =>
        file.imports
          .filter((target) => target.startsWith("connectors/") && owner(target) !== owner(file.path))
          .map(
            (target) => `${file.path} imports ${target}: what both need belongs in core/format or core/http`,
          ),
      );
    expect(wrong).toEqual([]);
  });

  it("fakes know nothing of the product", () => {
    const wrong = tests
      .filter((file) => file.path.startsWith("test/fakes/") && !file.path.endsWith(".test.ts"))
      .flatMap((file) =>
        file.imports
          .filter((target) => target.startsWith("core/") || target.startsWith("connectors/"))
          .map((target) => `${file.path} imports ${target}: a fake that shares code shares mistakes`),
      );
    expect(wrong).toEqual([]);
  });

  it("has no import cycles", () => {
    const graph = new Map(product.map((file) => [file.path, file.runtime]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]) => {
      if (trail.includes(path)) {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
        return;
      }
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    expect(cycles).toEqual([]);
  });

  it("reads time and randomness only in core/contracts/clock.ts", () => {
    const pattern =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(|(?<![.\w])set(Timeout|Interval)\(|\brandomUUID\(/;
    const wrong = product
      .filter((file) => file.path !== "core/contracts/clock.ts")
      .flatMap((file) =>
        file.text.split("\n").flatMap((line, index) => {
          const comment = /^\s*(\/\/|\*|\/\*)/.test(line);
          return !comment && pattern.test(line)
            ? [`${file.path}:${index + 1}: take a Clock or a Random instead`]
            : [];
        }),
      );
    expect(wrong).toEqual([]);
  });

  it("keeps files small and drawers shut", () => {
    const wrong = [...product, ...tests].flatMap((file) => {
      const lines = file.text.split("\n").length;
      const problems: string[] = [];
      if (lines > 450 && !file.path.startsWith("test/")) {
        problems.push(`${file.path} has ${lines} lines: one noun per file, at most 450`);
      }
      if (/(^|\/)(utils?|helpers?|common|misc)(\/|\.)/.test(file.path)) {
        problems.push(`${file.path}: name it for what it is`);
      }
      return problems;
    });
    expect(wrong).toEqual([]);
  });

  it("lists every connector", () => {
    const index = readFileSync(join(root, "connectors/index.ts"), "utf8");
    const folders = readdirSync(join(root, "connectors"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(folders.filter((name) => !index.includes(`"./${name}/index.js"`))).toEqual([]);
  });

  it("the lock file names every platform's packages and no registry", () => {
    const lock: {
      packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
    } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    const wrong = Object.entries(lock.packages).flatMap(([path, { resolved, optionalDependencies = {} }]) => [
      ...(resolved === undefined
        ? []
        : [`${path} is resolved to ${resolved}: set omit-lockfile-registry-resolved`]),
      // `npm ci` refuses a lock file without them; a registry that lacks a platform leaves them out.
      ...Object.keys(optionalDependencies)
        .filter(
          (name) =>
            !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
        )
        .map((name) => `${path}: ${name} is missing`),
    ]);
    expect(wrong).toEqual([]);
  });

  it("generated files are up to date", () => {
    expect(outdatedFiles(root), "run `npm run docs`").toEqual([]);
  });

  it("uses only packages that package.json names, and names only what is used", () => {
    const manifest: { dependencies: Record<string, string> } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    );
    const used = new Set(
      product.flatMap((file) =>
        file.packages.map((name) =>
          name
            .split("/")
            .slice(0, name.startsWith("@") ? 2 : 1)
            .join("/"),
        ),
      ),
    );
    expect([...used].filter((name) => manifest.dependencies[name] === undefined)).toEqual([]);
  });
});
