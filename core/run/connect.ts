import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  ConfigError,
  type ConnectorContext,
  type Sink,
  type Source,
  type TokenKeeper,
  TransientError,
} from "../contracts/index.js";
import { GrantedSource } from "./granted-source.js";
import type { GrantOwner } from "./grants.js";
import { isAlive } from "./lease.js";
import type { RunHost } from "./types.js";

type Wait = NonNullable<ConnectorContext["onWait"]>;

/** Opens a source connection of the project. ConfigError when there is none of that name or it is a sink. */
export function connectSource(host: RunHost, connection: string, onWait?: Wait): Source {
  const config = connectionOf(host, connection);
  const connector = host.connectors.sources.get(config.connector);
  if (connector === undefined) throw notA(connection, "source");
  const { grants } = host;
  const owner = grantOwner(host, connection);
  const open = (tokens?: TokenKeeper) =>
    connector.connect(config.config, contextOf(host, connection, onWait, tokens));
  if (owner === undefined || grants === undefined) return open();
  return new GrantedSource(open(grants.keeper(owner)), grants, owner);
}

/** What a connection's grant needs to know; undefined where it signs in without one. */
export function grantOwner(host: RunHost, connection: string): GrantOwner | undefined {
  const { connector, config } = connectionOf(host, connection);
  const spec = host.connectors.sources.get(connector)?.spec.oauth;
  const app = spec?.app(config);
  return spec === undefined || app === undefined ? undefined : { connection, config, app, spec };
}

/** Opens a sink connection of the project. */
export function connectSink(host: RunHost, connection: string, onWait?: Wait): Sink {
  const config = connectionOf(host, connection);
  const connector = host.connectors.sinks.get(config.connector);
  if (connector === undefined) throw notA(connection, "sink");
  return connector.connect(config.config, contextOf(host, connection, onWait));
}

function connectionOf(host: RunHost, connection: string) {
  const config = host.project.connections.get(connection);
  if (config === undefined) {
    throw new ConfigError("CONNECTION_UNKNOWN", `there is no connection named ${connection}`, {
      place: "sluice.yaml",
      fix: `Name one of: ${[...host.project.connections.keys()].join(", ") || "(none is configured)"}.`,
    });
  }
  return config;
}

function notA(connection: string, role: string): ConfigError {
  return new ConfigError("CONNECTION_ROLE", `connection ${connection} is not a ${role}`, {
    place: "sluice.yaml",
    fix: `Use a connection whose connector is a ${role}.`,
  });
}

function contextOf(
  host: RunHost,
  connection: string,
  onWait: Wait | undefined,
  tokens?: TokenKeeper,
): ConnectorContext {
  return {
    connection,
    clock: host.clock,
    random: host.random,
    log: host.log,
    tmpDir: tmpDir(host, connection),
    projectDir: host.project.dir,
    ...(onWait === undefined ? {} : { onWait }),
    ...(tokens === undefined ? {} : { tokens }),
  };
}

/** A folder of this process and connection; folders of processes that are gone are removed on the way. */
function tmpDir(host: RunHost, connection: string): string {
  const root = join(host.project.dataDir, "tmp");
  const dir = join(root, String(process.pid), connection);
  try {
    mkdirSync(dir, { recursive: true });
    for (const name of readdirSync(root)) {
      const pid = Number(name);
      if (Number.isInteger(pid) && !isAlive({ pid, host: hostname() })) {
        rmSync(join(root, name), { recursive: true, force: true });
      }
    }
  } catch (error) {
    throw folderError(error, dir);
  }
  return dir;
}

function folderError(error: unknown, place: string): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const fix = "Free space there and run the flow again: nothing is lost.";
    return new TransientError("DISK_FULL", "the disk of the data directory is full", {
      place,
      fix,
      cause: error,
    });
  }
  return new ConfigError("DATA_DIR_UNWRITABLE", `temporary files cannot be made: ${String(code ?? error)}`, {
    place,
    fix: "Let this user write there, or name another dataDir.",
    cause: error,
  });
}

/** Removes this process's temporary files. */
export function removeTmpDir(host: RunHost): void {
  rmSync(join(host.project.dataDir, "tmp", String(process.pid)), { recursive: true, force: true });
}
