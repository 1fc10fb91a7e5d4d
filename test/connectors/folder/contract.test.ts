import { sinkContract } from "../../contracts/sink.js";
import { errnoError, FolderFixture, type Format } from "./folder-fixture.js";

for (const [format, compression, engine] of [
  ["parquet", "snappy", "duckdb"],
  ["jsonl", "gzip", "duckdb"],
  ["csv", "none", "duckdb"],
  ["parquet", "gzip", "parquetjs"],
] as const satisfies readonly (readonly [Format, string, string])[]) {
  sinkContract(`folder, ${format} ${compression} by ${engine}`, async () => {
    const fixture = new FolderFixture();
    const failing = (call: string, code: string) => () => {
      fixture.breakable.onCall = (name, path) => {
        if (name === call) throw errnoError(code, path);
      };
      return () => {
        fixture.breakable.onCall = undefined;
      };
    };
    return {
      features: { kind: "files", writeModes: ["append", "replace"], partitions: true },
      connect: () => fixture.connect(),
      target: (options) => fixture.target({ ...options, format, compression, engine }),
      rows: (name, schema) => fixture.rows(name, schema, format),
      // Every step is an operation on the file system: the same for all formats.
      ...(format === "jsonl"
        ? { interrupt: (step, when) => fixture.breakable.interrupt(step, when) }
        : { whyNotInterrupted: "interrupted with jsonl; the steps do not depend on the format" }),
      refusals: [
        { title: "disk full", arm: failing("link", "ENOSPC"), kind: "transient", code: "DISK_FULL" },
        { title: "quota", arm: failing("sync", "EDQUOT"), kind: "transient", code: "DISK_FULL" },
        { title: "read-only", arm: failing("link", "EROFS"), kind: "config", code: "FOLDER_NOT_WRITABLE" },
        {
          title: "no right",
          arm: failing("makeFolder", "EACCES"),
          kind: "config",
          code: "FOLDER_NOT_WRITABLE",
        },
        {
          title: "a file above",
          arm: failing("makeFolder", "ENOTDIR"),
          kind: "config",
          code: "FOLDER_NOT_A_FOLDER",
        },
        { title: "bad disk", arm: failing("sync", "EIO"), kind: "transient", code: "FOLDER_IO" },
      ],
      close: async () => fixture.remove(),
    };
  });
}
