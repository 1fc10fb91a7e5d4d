import { defineConfig } from "vitest/config";

/** They put modules of their own in place of others. */
const REPLACING = ["test/core/format/portable.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
    projects: [
      // Files of one worker share what they import: loading is a fifth of the time.
      {
        extends: true,
        test: { name: "all", include: ["test/**/*.test.ts"], exclude: REPLACING, isolate: false },
      },
      { extends: true, test: { name: "replacing", include: REPLACING } },
    ],
  },
});
