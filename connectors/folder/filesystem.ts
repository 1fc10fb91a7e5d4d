import { constants, type Dirent } from "node:fs";
import {
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rmdir,
  stat,
  statfs,
  unlink,
  writeFile,
} from "node:fs/promises";

/** The calls of the operating system that the folder sink makes; tests put failing ones in their place. */
export interface FileSystem {
  /** With its parents. Resolves with the first folder that had to be made; undefined: it was there. */
  makeFolder(path: string): Promise<string | undefined>;
  /** Content to disk; for a folder, its list of names. */
  sync(path: string): Promise<void>;
  /** A second name for a file; EEXIST when the name is taken. */
  link(existing: string, path: string): Promise<void>;
  copy(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  read(path: string): Promise<string>;
  /** A new file; EEXIST when it is there. */
  write(path: string, text: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  /** `modifiedAt`: epoch ms. */
  stat(
    path: string,
  ): Promise<{ readonly bytes: number; readonly isFolder: boolean; readonly modifiedAt: number }>;
  list(path: string): Promise<Dirent[]>;
  /** Bytes free for this user. */
  free(path: string): Promise<number>;
}

export const nodeFileSystem: FileSystem = {
  makeFolder: (path) => mkdir(path, { recursive: true }),
  sync: async (path) => {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  link: (existing, path) => link(existing, path),
  copy: (from, to) => copyFile(from, to, constants.COPYFILE_EXCL),
  rename: (from, to) => rename(from, to),
  remove: (path) => unlink(path),
  read: (path) => readFile(path, "utf8"),
  write: (path, text) => writeFile(path, text, { flag: "wx" }),
  removeFolder: (path) => rmdir(path),
  stat: async (path) => {
    const found = await stat(path);
    return { bytes: found.size, isFolder: found.isDirectory(), modifiedAt: found.mtimeMs };
  },
  list: (path) => readdir(path, { withFileTypes: true }),
  free: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

/** The errno name of a failed call: `ENOENT`. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
