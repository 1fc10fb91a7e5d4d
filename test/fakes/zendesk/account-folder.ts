import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { Account, type FakeClock, isoSeconds, KINDS } from "./account.js";
import { isRow } from "./generate.js";

/**
 * An account from a folder: one `<stream>.ndjson` (or .jsonl) per kind of record, each line a record as the API sends it.
 * `tickets` may carry their `metric_set`. A record without its stamp gets the present second.
 */
export async function readAccountFolder(folder: string, clock: FakeClock): Promise<Account> {
  const account = new Account(clock);
  const files = (await readdir(folder)).filter((file) => /\.(ndjson|jsonl)$/.test(file)).sort();
  if (files.length === 0) throw new Error(`${folder} holds no .ndjson or .jsonl file`);
  for (const file of files) {
    const name = basename(file).replace(/\.\w+$/, "");
    const kind = KINDS[name];
    if (kind === undefined) {
      throw new Error(`${file}: no stream of that name; known are ${Object.keys(KINDS).join(", ")}`);
    }
    const lines = createInterface({
      input: createReadStream(join(folder, file)),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    let number = 0;
    for await (const line of lines) {
      number += 1;
      if (line.trim() === "") continue;
      const row: unknown = JSON.parse(line);
      if (!isRow(row)) throw new Error(`${file}:${number} is no record with a numeric id`);
      const stamp = row[kind.stamp];
      if (typeof stamp !== "string") row[kind.stamp] = isoSeconds(clock.now());
      if (kind.epochStamp !== undefined && typeof row[kind.epochStamp] !== "number") {
        row[kind.epochStamp] = Math.floor(Date.parse(String(row[kind.stamp])) / 1000);
      }
      account.put(name, row);
    }
  }
  return account;
}
