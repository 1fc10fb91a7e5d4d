import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

const PACKAGE = z.object({ name: z.literal("sluice"), version: z.string() });

/** Version of the package this file belongs to; sources, dist/ and dist/cli stand at different depths below package.json. */
export function packageVersion(): string {
  for (const up of ["../../", "../../../", "../../../../"]) {
    const file = new URL(`${up}package.json`, import.meta.url);
    if (!existsSync(file)) continue;
    const parsed = PACKAGE.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return parsed.data.version;
  }
  return "unknown";
}
