import { existsSync, readFileSync, statfsSync } from "node:fs";

const LIMITS = "/proc/self/limits";

/** Bytes that a file of `fileBytes` in this folder may still grow: free space, and the process's limit on file size. */
export function roomToGrow(folder: string, fileBytes: number): number {
  const { bavail, bsize } = statfsSync(folder);
  return Math.min(bavail * bsize, fileSizeLimit() - fileBytes);
}

/** `ulimit -f` in bytes, where the system tells (Linux). */
function fileSizeLimit(): number {
  if (!existsSync(LIMITS)) return Number.POSITIVE_INFINITY;
  const [, limit] = /^Max file size\s+(\d+)/m.exec(readFileSync(LIMITS, "utf8")) ?? [];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}
