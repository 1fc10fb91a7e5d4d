import { open } from "node:fs/promises";
import type { Field, Schema } from "../contracts/index.js";
import { fileError } from "./failure.js";
import { GzipFile } from "./gzip.js";
import type { WrittenText } from "./jsonl.js";
import { LineValues } from "./line-values.js";
import { type Compression, DEFAULT_GZIP_LEVEL } from "./options.js";
import { decimalText, integerOf, unscaledOf } from "./scalar.js";
import { decimalShape } from "./sql.js";

const FLUSH_CHARACTERS = 256 * 1024;

export interface PortableCsvRequest {
  readonly chunks: AsyncIterable<Buffer>;
  readonly schema: Schema;
  readonly path: string;
  readonly compression: Compression;
  readonly gzipLevel?: number | undefined;
  readonly signal: AbortSignal;
}

/** CSV without DuckDB: the same rules (see writeFiles), in JavaScript. */
export async function writePortableCsv(request: PortableCsvRequest): Promise<WrittenText> {
  const { schema, path, signal } = request;
  try {
    const out = await openOutput(request);
    try {
      const values = new LineValues(schema);
      const columns = schema.fields.map((field, index) => () => cell(field, values, index));
      let rows = `${schema.fields.map(({ name }) => quoted(name)).join(",")}\n`;
      const records = await values.forEach(request.chunks, signal, () => {
        rows += `${columns.map((column) => column()).join(",")}\n`;
        if (rows.length < FLUSH_CHARACTERS) return;
        const bytes = Buffer.from(rows);
        rows = "";
        return out.write(bytes);
      });
      await out.write(Buffer.from(rows));
      return { records, bytes: await out.end() };
    } finally {
      await out.close();
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

interface Output {
  write(bytes: Buffer): Promise<void>;
  /** Resolves to the file's size. */
  end(): Promise<number>;
  close(): Promise<void>;
}

async function openOutput({ compression, path, gzipLevel }: PortableCsvRequest): Promise<Output> {
  if (compression === "gzip") return GzipFile.create(path, gzipLevel ?? DEFAULT_GZIP_LEVEL);
  const file = await open(path, "w");
  let size = 0;
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
      size += bytes.length;
    },
    end: async () => size,
    close: () => file.close(),
  };
}

function cell(field: Field, values: LineValues, index: number): string {
  const token = values.token(index);
  if (token === undefined) return "";
  switch (field.type) {
    case "string":
    case "date":
    case "timestamp": {
      const text = values.text(index) ?? "";
      return text === "" ? '""' : quoted(text);
    }
    case "json":
      return quoted(token);
    case "integer":
      return integerOf(field, token).toString();
    case "decimal":
      return decimalText(unscaledOf(field, token), decimalShape(field).scale);
    case "double":
    case "boolean":
      return token;
  }
}

function quoted(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
