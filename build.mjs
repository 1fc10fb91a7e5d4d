// Compiles every TypeScript file into dist/ and makes the command line executable.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url));
execFileSync(process.execPath, [bin, "-p", "tsconfig.json"], {
  cwd: fileURLToPath(new URL(".", import.meta.url)),
  stdio: "inherit",
});
const main = fileURLToPath(new URL("dist/core/edge/cli/main.js", import.meta.url));
if (existsSync(main)) chmodSync(main, 0o755);
