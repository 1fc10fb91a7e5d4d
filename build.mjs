// Compiles every TypeScript file into dist/, makes the command line executable, and links it where npx looks: npm links
// the commands of dependencies, never those of the package itself.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const main = join(root, "dist/core/edge/cli/main.js");
const bin = join(root, "node_modules/.bin");

try {
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.json"], {
    cwd: root,
    stdio: "inherit",
  });
} catch {
  // The compiler has said what is wrong.
  process.exit(1);
}
chmodSync(main, 0o755);
mkdirSync(bin, { recursive: true });
if (process.platform === "win32") {
  writeFileSync(join(bin, "sluice.cmd"), `@node "${main}" %*\r\n`);
} else {
  const link = join(bin, "sluice");
  rmSync(link, { force: true });
  symlinkSync("../../dist/core/edge/cli/main.js", link);
}
