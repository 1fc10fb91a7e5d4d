import { randomBytes, scrypt } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ConfigError, type Secret } from "../contracts/index.js";
import { classed } from "./storage-error.js";

/** The environment variable that holds the key: 32 bytes in hex or base64, else a passphrase. */
export const TOKEN_KEY_VARIABLE = "SLUICE_TOKEN_KEY";

const KEY_BYTES = 32;
const SHORTEST_PASSPHRASE = 12;
/** OWASP's recommendation with 32 MiB of memory; a key takes about 0.2 s. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 2 ** 20 };

/** Where the key lies when the environment holds none. */
export function tokenKeyFile(dataDir: string): string {
  return join(dataDir, "token.key");
}

/** The key that tokens are encrypted with, made of what was given. */
export interface TokenKey {
  /** 32 bytes. `salt` matters to passphrases only. */
  bytes(salt: Buffer): Promise<Buffer>;
}

/**
 * The key of a data directory: the one of the environment, else the key file's. `create`: make the file where there is
 * none; otherwise undefined is the answer. ConfigError TOKEN_KEY_WEAK, TOKEN_KEY_FILE_OPEN, TOKEN_KEY_FILE_DAMAGED.
 */
export function tokenKey(
  dataDir: string,
  fromEnvironment: Secret | undefined,
  create: boolean,
): TokenKey | undefined {
  if (fromEnvironment !== undefined) return givenKey(fromEnvironment.open().trim());
  const path = tokenKeyFile(dataDir);
  const key = readKeyFile(path) ?? (create ? createKeyFile(path) : undefined);
  return key === undefined ? undefined : rawKey(key);
}

function rawKey(key: Buffer): TokenKey {
  return { bytes: () => Promise.resolve(key) };
}

function givenKey(text: string): TokenKey {
  const raw = decodeKey(text);
  if (raw !== undefined) return rawKey(raw);
  if (text.length < SHORTEST_PASSPHRASE) {
    throw new ConfigError(
      "TOKEN_KEY_WEAK",
      `the passphrase in ${TOKEN_KEY_VARIABLE} is shorter than ${SHORTEST_PASSPHRASE} characters`,
      { place: TOKEN_KEY_VARIABLE, fix: "Set it to 32 random bytes: openssl rand -base64 32" },
    );
  }
  const made = new Map<string, Promise<Buffer>>();
  return {
    bytes: (salt) => {
      const name = salt.toString("base64");
      const key = made.get(name) ?? stretched(text, salt);
      made.set(name, key);
      return key;
    },
  };
}

const scryptAsync = promisify<string, Buffer, number, object, Buffer>(scrypt);

function stretched(passphrase: string, salt: Buffer): Promise<Buffer> {
  return scryptAsync(passphrase.normalize("NFKC"), salt, KEY_BYTES, SCRYPT);
}

/** 32 bytes in hex, base64 or base64url; undefined for anything else. */
function decodeKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  if (!/^(?:[A-Za-z0-9+/]{43}=?|[A-Za-z0-9_-]{43}=?)$/.test(text)) return undefined;
  const key = Buffer.from(text, "base64");
  return key.length === KEY_BYTES ? key : undefined;
}

function readKeyFile(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw classed(error, path);
  }
  try {
    // Of the open file: the path may lead elsewhere a moment later.
    const { mode } = fstatSync(file);
    // Windows has no such bits; there the folder's own rights decide.
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new ConfigError(
        "TOKEN_KEY_FILE_OPEN",
        `the key of the stored tokens may be read by others (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`,
        {
          place: path,
          fix: `Run chmod 600 ${path}; if somebody may have read it, delete it and sign in again with sluice connect.`,
        },
      );
    }
    const key = decodeKey(readFileSync(file, "utf8").trim());
    if (key !== undefined) return key;
    throw new ConfigError("TOKEN_KEY_FILE_DAMAGED", "the key file does not hold 32 bytes in base64", {
      place: path,
      fix: "Restore it from a backup, or delete it and sign in again with sluice connect.",
    });
  } finally {
    closeSync(file);
  }
}

/** It comes into place whole and durable, by a link: what is encrypted with it may be stored a moment later. */
function createKeyFile(path: string): Buffer {
  const draft = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(draft, { force: true });
    const file = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writeFileSync(file, `${randomBytes(KEY_BYTES).toString("base64")}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    link(draft, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw classed(error, path);
  } finally {
    rmSync(draft, { force: true });
  }
  const key = readKeyFile(path);
  if (key !== undefined) return key;
  throw new ConfigError("TOKEN_KEY_FILE_DAMAGED", "the key file vanished as it was made", { place: path });
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // Another process was first: its key is the key.
    if (code === "EEXIST") return;
    // A file system without links: two first processes at the same instant are not kept apart there.
    if (existsSync(to)) return;
    renameSync(from, to);
  }
}

function syncFolder(folder: string): void {
  // Windows opens no folders; there the file's own fsync is all there is.
  if (process.platform === "win32") return;
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
