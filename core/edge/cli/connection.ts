import { ConfigError } from "../../contracts/index.js";
import { nearestName } from "../../flow/nearest.js";
import type { ConnectionConfig, Project } from "../../flow/types.js";

/** The entry of sluice.yaml. ConfigError CONNECTION_UNKNOWN with the nearest name. */
export function connectionNamed(project: Project, name: string): ConnectionConfig {
  const connection = project.connections.get(name);
  if (connection !== undefined) return connection;
  const known = [...project.connections.keys()];
  const near = nearestName(name, known);
  throw new ConfigError(
    "CONNECTION_UNKNOWN",
    `there is no connection named ${name}${near === undefined ? "" : ` (did you mean ${near}?)`}`,
    {
      place: "sluice.yaml",
      fix: known.length === 0 ? "Add it under `connections`." : `Name one of: ${known.join(", ")}.`,
    },
  );
}

/** The entry of a source. ConfigError when it is a sink: that has no streams. */
export function sourceNamed(project: Project, name: string): ConnectionConfig {
  const connection = connectionNamed(project, name);
  if (connection.role === "source") return connection;
  const sources = [...project.connections.values()].filter(({ role }) => role === "source");
  throw new ConfigError(
    "CONNECTION_ROLE",
    `${name} is a sink (${connection.connector}); only sources have streams`,
    {
      place: "sluice.yaml",
      fix:
        sources.length === 0
          ? "Add a source under `connections`."
          : `Name one of: ${sources.map((source) => source.name).join(", ")}.`,
    },
  );
}
