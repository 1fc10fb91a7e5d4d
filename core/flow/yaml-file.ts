/** One YAML file: its values with secrets resolved, and where each key and value stands in the text. */
import {
  type Alias,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import { ExactNumber, Secret } from "../contracts/index.js";
import { exactly } from "./decimal.js";
import { type PlaceholderSource, resolvePlaceholders } from "./placeholder.js";
import { keyPathText, type Place, problemAt } from "./problem.js";
import type { ConfigValue, Problem } from "./types.js";

/** What a YAML file may hold after reading. */
export type YamlValue = ConfigValue | ExactNumber | YamlValue[] | { [key: string]: YamlValue };

/** Aliases can make a small file huge ("billion laughs"), and deep nesting a short one overflow the stack. */
const MAX_NODES = 50_000;
const MAX_NESTING = 64;

/** The yaml package's messages speak of its grammar; these speak of what the author did. */
const SYNTAX: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "this key stands here a second time; keep one of the two",
  BLOCK_AS_IMPLICIT_KEY: 'expected one "key: value" here: quote a text that holds ": ", or align the lines',
  MULTILINE_IMPLICIT_KEY: 'expected "key: value" on one line: is a colon missing, or the indentation off?',
  TAB_AS_INDENT: "expected spaces: YAML allows no tabs for indentation",
  MULTIPLE_DOCS: 'expected one document: remove the "---" and what belongs to another file',
  BAD_INDENT: "expected another indentation, or a closing bracket before this line",
};

interface Span {
  readonly key: number;
  readonly value: number;
}

export class YamlFile {
  readonly name: string;
  /** Undefined when the text is not YAML. */
  readonly value: YamlValue | undefined;
  readonly problems: Problem[] = [];
  /** Offset of the first character of each line. The yaml package's LineCounter misses lines of unclosed texts. */
  readonly #lines: readonly number[];
  readonly #anchors: ReadonlyMap<Alias, Node>;
  readonly #text: string;
  readonly #placeholders: PlaceholderSource;
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #spans = new Map<string, Span>();
  readonly #unresolved = new Set<string>();
  #nodes = 0;

  /** `name`: as shown in messages. Never throws: `problems` tells what is wrong. */
  constructor(name: string, text: string, placeholders: PlaceholderSource) {
    this.name = name;
    this.#text = text;
    this.#placeholders = placeholders;
    this.#document = parseDocument(text, {
      prettyErrors: false,
      logLevel: "error",
    });
    this.#lines = [0, ...Array.from(text.matchAll(/\n/g), (end) => end.index + 1)];
    this.#anchors = anchorsOf(this.#document);
    this.value = this.#parse();
  }

  #parse(): YamlValue | undefined {
    const faults = [...this.#document.errors, ...this.#document.warnings];
    for (const fault of faults) {
      const message = (SYNTAX[fault.code] ?? `cannot be read as YAML: ${fault.message}`).replace(
        "this key",
        () => `the key ${/[^\s:,}\]]+/.exec(this.#text.slice(fault.pos[0]))?.[0] ?? ""}`,
      );
      const code = fault.code === "DUPLICATE_KEY" ? "YAML_DUPLICATE_KEY" : "YAML_SYNTAX";
      this.problems.push(problemAt(this.#placeOf(fault.pos[0], []), code, message));
    }
    if (faults.some((fault) => fault.code !== "DUPLICATE_KEY")) return undefined;
    const value = this.#read(this.#document.contents, [], []);
    return this.problems.some((problem) => problem.code === "YAML_SYNTAX") ? undefined : value;
  }

  /** The key at `path` (its value where it has no key of its own); the nearest parent that exists, for a missing one. */
  keyPlace(path: readonly PropertyKey[]): Place {
    return this.#placeOf(this.#span(path).key, path);
  }

  valuePlace(path: readonly PropertyKey[]): Place {
    return this.#placeOf(this.#span(path).value, path);
  }

  has(path: readonly PropertyKey[]): boolean {
    return this.#spans.has(JSON.stringify(path));
  }

  /** A placeholder at `path` or above it could not be resolved: what else is said about it would be noise. */
  isUnresolved(path: readonly PropertyKey[]): boolean {
    for (let length = path.length; length > 0; length--)
      if (this.#unresolved.has(JSON.stringify(path.slice(0, length)))) return true;
    return false;
  }

  /** The value at `path`; undefined where there is none. */
  at(path: readonly PropertyKey[]): YamlValue | undefined {
    let value: YamlValue | undefined = this.value;
    for (const part of path) {
      if (typeof value !== "object" || value === null) return undefined;
      if (value instanceof Secret || value instanceof ExactNumber) return undefined;
      if (Array.isArray(value)) value = typeof part === "number" ? value[part] : undefined;
      else value = Object.hasOwn(value, part) ? value[String(part)] : undefined;
    }
    return value;
  }

  #span(path: readonly PropertyKey[]): Span {
    for (let length = path.length; length > 0; length--) {
      const span = this.#spans.get(JSON.stringify(path.slice(0, length)));
      if (span !== undefined) return span;
    }
    return { key: 0, value: 0 };
  }

  #placeOf(offset: number, path: readonly PropertyKey[]): Place {
    const at = Math.max(0, Math.min(offset, this.#text.length));
    let line = this.#lines.length - 1;
    while ((this.#lines[line] ?? 0) > at) line--;
    const column = at - (this.#lines[line] ?? 0) + 1;
    return { file: this.name, line: line + 1, column, keyPath: keyPathText(path) };
  }

  #refuse(offset: number, path: readonly PropertyKey[], message: string): null {
    this.problems.push(problemAt(this.#placeOf(offset, path), "YAML_SYNTAX", message));
    return null;
  }

  /** `seen`: the collections this node stands in, to find an alias that contains itself. */
  #read(node: unknown, path: readonly PropertyKey[], seen: readonly Node[]): YamlValue {
    const at = this.#span(path).key;
    if (++this.#nodes > MAX_NODES)
      return this.#nodes === MAX_NODES + 1
        ? this.#refuse(at, path, `holds more than ${MAX_NODES} values`)
        : null;
    if (path.length > MAX_NESTING)
      return this.#refuse(at, path, `is nested deeper than ${MAX_NESTING} levels`);
    if (isAlias(node)) return this.#readAlias(node, path, seen);
    if (isMap(node)) return this.#readMap(node, path, [...seen, node]);
    if (isSeq(node)) {
      const inside = [...seen, node];
      return node.items.map((item, index) => {
        const inner = [...path, index];
        const start = startOf(item) ?? at;
        this.#spans.set(JSON.stringify(inner), { key: start, value: start });
        return this.#read(item, inner, inside);
      });
    }
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  #readAlias(alias: Alias, path: readonly PropertyKey[], seen: readonly Node[]): YamlValue {
    const at = startOf(alias) ?? this.#span(path).key;
    const target = this.#anchors.get(alias);
    if (target === undefined)
      return this.#refuse(at, path, `there is no anchor &${alias.source} before this alias`);
    if (seen.includes(target)) return this.#refuse(at, path, `the alias *${alias.source} contains itself`);
    return this.#read(target, path, seen);
  }

  #readMap(map: YAMLMap, path: readonly PropertyKey[], inside: readonly Node[]): YamlValue {
    const object: { [key: string]: YamlValue } = {};
    for (const { key: name, value } of map.items) {
      const start = startOf(name) ?? this.#span(path).key;
      if (!isScalar(name) || (typeof name.value === "object" && name.value !== null)) {
        this.#refuse(start, path, "expected a plain text as key, found a list or a mapping");
        continue;
      }
      const key = typeof name.value === "string" ? name.value : (name.source ?? String(name.value));
      const inner = [...path, key];
      this.#spans.set(JSON.stringify(inner), { key: start, value: startOf(value) ?? start });
      if (key === "__proto__") this.#refuse(start, inner, "this name cannot be used as a key");
      else object[key] = this.#read(value, inner, inside);
    }
    return object;
  }

  #readScalar(scalar: Scalar, path: readonly PropertyKey[]): YamlValue {
    const { value, source } = scalar;
    if (typeof value === "number") return (source === undefined ? undefined : exactly(source)) ?? value;
    if (typeof value === "boolean" || value === null) return value;
    const [from = 0, to = from] = scalar.range ?? [];
    if (typeof value !== "string")
      return this.#refuse(from, path, "expected a text, a number, true, false or nothing");
    const resolved = resolvePlaceholders(value, this.#placeholders);
    if (typeof resolved === "string" || resolved instanceof Secret) return resolved;
    this.#unresolved.add(JSON.stringify(path));
    for (const problem of resolved) {
      // The text may be quoted, escaped or folded: search the placeholder in what stands in the file.
      const found = this.#text.indexOf(problem.placeholder, from);
      const place = this.#placeOf(found >= 0 && found < to ? found : from, path);
      this.problems.push(problemAt(place, problem.code, problem.message));
    }
    return new Secret("");
  }
}

/** Offset of the first character of a node; undefined for one that is not written down (`key:` without value). */
function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/** What each alias stands for: the last anchor of its name before it. Alias.resolve() searches the document each time. */
function anchorsOf(document: ReturnType<typeof parseDocument>): Map<Alias, Node> {
  const byName = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        const target = byName.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) byName.set(node.anchor, node);
    },
  });
  return targets;
}
