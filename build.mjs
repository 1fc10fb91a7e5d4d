// Compiles every TypeScript file into dist/, packs the command line into the few files of dist/cli, and puts a command
// where npx looks: npm links the commands of dependencies, never those of the package itself.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL(".", import.meta.url));
const cli = join(root, "dist/cli");
const main = join(cli, "main.js");
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

// Half of the time a command took to start went into finding and reading two hundred files (core/decisions.md). Packages of
// many small files are packed as well; all others are loaded from node_modules when they are needed.
const PACKED = new Set(["zod", "lossless-json", "yaml", "commander", "cli-progress"]);
const isLoaded = (id) => !/^[./]/.test(id) && !PACKED.has(id.split("/")[0]);
rmSync(cli, { recursive: true, force: true });
const bundle = await rolldown({
  input: join(root, "dist/core/edge/cli/main.js"),
  platform: "node",
  external: isLoaded,
  treeshake: false,
});
await bundle.write({
  dir: cli,
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
});
await bundle.close();
chmodSync(main, 0o755);

// V8 lets its heap grow to several times what lives in it before it collects, the more the longer a run (core/decisions.md).
const heap = "--heap-growing-percent=150";
mkdirSync(bin, { recursive: true });
if (process.platform === "win32") {
  writeFileSync(join(bin, "sluice.cmd"), `@node ${heap} "${main}" %*\r\n`);
} else {
  const command = join(bin, "sluice");
  rmSync(command, { force: true }); // a build of before may have left a link there: writing would go through it
  // glibc gives each thread a heap of its own, and each keeps what it once needed: with one for all, memory does not grow
  // with the length of a run (core/decisions.md). It reads this when a process starts, and only then.
  writeFileSync(
    command,
    `#!/bin/sh
: "\${MALLOC_ARENA_MAX:=1}"
export MALLOC_ARENA_MAX
exec node ${heap} "$(dirname "$0")/../../dist/cli/main.js" "$@"
`,
    { mode: 0o755 },
  );
}
