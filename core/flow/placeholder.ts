/**
 * `${env:NAME}` and `${file:path}` inside the texts of sluice.yaml and of flow files. A text that holds one becomes a
 * Secret as a whole. `$${` stands for a plain `${`.
 */
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { Secret } from "../contracts/index.js";

export interface PlaceholderProblem {
  readonly code: string;
  readonly message: string;
  /** Index of the placeholder within the text. */
  readonly index: number;
  /** The placeholder as it stands in the text. */
  readonly placeholder: string;
}

export interface PlaceholderSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute folder of the YAML file: relative paths of `${file:}` start here. */
  readonly dir: string;
}

/** Keys and tokens are small; a log file named by mistake is not. */
const MAX_FILE_BYTES = 1024 * 1024;

const PLACEHOLDER = /\$(\$?)\{([A-Za-z]*):([^{}]*)\}/g;

/** What one placeholder stands for, or a sentence on why it cannot be had. */
type Lookup = { readonly text: string } | { readonly code: string; readonly message: string };

function lookUpEnv(name: string, env: PlaceholderSource["env"]): Lookup {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return {
      code: "ENV_INVALID_NAME",
      message: `expected the name of an environment variable in \${env:...}, found "${name}"`,
    };
  const text = env[name];
  if (text !== undefined) return { text };
  return {
    code: "ENV_MISSING",
    message: `the environment variable ${name} is not set (set it before starting sluice, e.g. export ${name}=...)`,
  };
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}

function lookUpFile(path: string, dir: string): Lookup {
  if (path === "")
    return { code: "FILE_UNREADABLE", message: `expected the path of a file in \${file:...}, found nothing` };
  const absolute = isAbsolute(path) ? path : join(dir, path);
  const unreadable = (reason: string) => ({
    code: "FILE_UNREADABLE",
    message: `the file ${path} cannot be read: ${reason} (looked at ${absolute})`,
  });
  try {
    const bytes = readFileSync(absolute);
    if (bytes.length > MAX_FILE_BYTES) return unreadable("it is larger than 1 MiB");
    // Editors end a file with a line break that is no part of the secret.
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "") };
  } catch (error) {
    return unreadable(error instanceof TypeError ? "it is not UTF-8 text" : reasonOf(error));
  }
}

/** The text itself where it holds no placeholder, a Secret where all could be resolved, else what is wrong. */
export function resolvePlaceholders(
  text: string,
  source: PlaceholderSource,
): string | Secret | readonly PlaceholderProblem[] {
  if (!text.includes("${")) return text;
  const problems: PlaceholderProblem[] = [];
  let resolved = 0;
  const value = text.replaceAll(
    PLACEHOLDER,
    (placeholder: string, doubled: string, kind: string, argument: string, index: number) => {
      if (doubled !== "") return placeholder.slice(1);
      const found: Lookup =
        kind === "env"
          ? lookUpEnv(argument.trim(), source.env)
          : kind === "file"
            ? lookUpFile(argument.trim(), source.dir)
            : {
                code: "PLACEHOLDER_UNKNOWN",
                message: `expected \${env:NAME} or \${file:path}, found "${placeholder}" (write $\${ for a plain \${)`,
              };
      if ("text" in found) {
        resolved++;
        return found.text;
      }
      problems.push({ ...found, index, placeholder });
      return "";
    },
  );
  if (problems.length > 0) return problems;
  return resolved > 0 ? new Secret(value) : value;
}
