import { join } from "node:path";
import { type ConnectorContext, systemClock, systemRandom } from "../../../core/contracts/index.js";

/** What the host gives a connector, with temporary files below `dir`. */
export function hostContext(dir: string): ConnectorContext {
  const ignore = () => undefined;
  return {
    connection: "warehouse",
    clock: systemClock,
    random: systemRandom,
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    projectDir: dir,
    tmpDir: join(dir, "tmp"),
  };
}
