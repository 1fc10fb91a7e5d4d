import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { Agent } from "node:http";
import { createGzip } from "node:zlib";
import axios from "axios";

/**
 * The bare loop: what the job costs with nothing of Sluice. Fetch a page, parse it, stringify every record, write the
 * lines; no buffer, no checkpoint, no retry. Environment: SF_URL, SF_ACCESS_TOKEN. Arguments: the query, the file,
 * `gzip` or `plain`.
 */
const [query = "", path = "", packing = "plain"] = process.argv.slice(2);
const http = axios.create({
  baseURL: process.env.SF_URL ?? "",
  headers: { authorization: `Bearer ${process.env.SF_ACCESS_TOKEN}` },
  httpAgent: new Agent({ keepAlive: true }),
  responseType: "text",
  transformResponse: (text: unknown) => text,
  decompress: false,
});
const file = createWriteStream(path);
const sink = packing === "gzip" ? createGzip({ level: 4 }) : file;
if (sink !== file) sink.pipe(file);
let records = 0;
let next: string | undefined = `/services/data/v67.0/query?q=${encodeURIComponent(query)}`;
while (next !== undefined) {
  const answer = await http.get<string>(next);
  const page: { records: Record<string, unknown>[]; done: boolean; nextRecordsUrl?: string } = JSON.parse(
    answer.data,
  );
  let lines = "";
  for (const record of page.records) lines += `${JSON.stringify(record)}\n`;
  if (!sink.write(lines)) await once(sink, "drain");
  records += page.records.length;
  next = page.done ? undefined : page.nextRecordsUrl;
}
sink.end();
await once(file, "close");
process.stdout.write(`${records}\n`);
