import { open } from "node:fs/promises";
import { type Field, InvariantError, type Schema } from "../contracts/index.js";
import { fileError } from "./failure.js";
import type { WrittenText } from "./jsonl.js";
import { LineValues } from "./line-values.js";
import type { Compression } from "./options.js";
import { daysOf, integerOf, microsOf, unscaledOf } from "./scalar.js";
import { decimalShape } from "./sql.js";

/*
 * Parquet without DuckDB, by parquetjs-lite 0.8.7. What it does well is pages, levels and compression. What it does
 * not do is worked around here, checked by reading every file of the tests with DuckDB:
 * - INT64 goes through parseInt, which loses digits above 2^53, and timestamps before 1970 are refused: values arrive as
 *   BigInt under a type of our own (RAW_INT64) that leaves them alone.
 * - it knows no DECIMAL and writes timestamps without "adjusted to UTC": the footer is ours.
 * - columns are keys of an object, so `__proto__` vanishes and `1` comes before `0`: it sees c0, c1, ... instead.
 * - its statistics order text by UTF-16 units, where readers expect bytes and would skip pages that match: none are written.
 * - JSON would be encoded a second time: it is handed over as bytes.
 */

const ROW_GROUP_ROWS = 4096;
/** A row group is held in memory as JavaScript values. */
const ROW_GROUP_BYTES = 8 * 1024 * 1024;
const RAW_INT64 = "SLUICE_RAW_INT64";

export interface PortableParquetRequest {
  readonly chunks: AsyncIterable<Buffer>;
  readonly schema: Schema;
  readonly path: string;
  readonly compression: Compression;
  readonly rowGroupRows?: number | undefined;
  readonly signal: AbortSignal;
}

/** Writes one file; resolves to its rows and bytes. */
export async function writePortableParquet(request: PortableParquetRequest): Promise<WrittenText> {
  const { schema, path, signal } = request;
  const library = await loadLibrary();
  try {
    const file = await open(path, "w");
    try {
      let size = 0;
      let last: Promise<void> = Promise.resolve();
      // The library does not await all of its writes: they are put in a row here, and a failure ends all later ones.
      const write = (bytes: Buffer): Promise<void> => {
        last = last.then(async () => {
          for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
          size += bytes.length;
        });
        last.catch(() => undefined);
        return last;
      };
      const rows = request.rowGroupRows ?? ROW_GROUP_ROWS;
      const writer = library.open(request, write, rows);
      const values = new LineValues(schema);
      const columns = schema.fields.map((field, index) => ({
        key: columnKey(index),
        value: reader(field, values, index),
      }));
      let held = 0;
      const records = await values.forEach(request.chunks, signal, () => {
        const row: Record<string, unknown> = {};
        for (const { key, value } of columns) row[key] = value();
        held += values.lineBytes;
        const isFull = held >= ROW_GROUP_BYTES;
        if (isFull) held = 0;
        // It flushes when a row group holds as many rows as it should.
        writer.setRowGroupSize(isFull ? 1 : rows);
        return writer.appendRow(row);
      });
      await writer.close();
      await last;
      return { records, bytes: size };
    } finally {
      await file.close();
    }
  } catch (error) {
    // The library throws texts.
    if (typeof error === "string")
      throw new InvariantError("PARQUETJS", `parquetjs-lite: ${error}`, { place: path });
    throw fileError(error, path);
  }
}

function columnKey(index: number): string {
  return `c${index}`;
}

/** The value of a field in the form its physical type takes; undefined for null. */
function reader(field: Field, values: LineValues, index: number): () => unknown {
  const parsed = (parse: (token: string) => unknown) => () => {
    const token = values.token(index);
    return token === undefined ? undefined : parse(token);
  };
  const ofText = (parse: (text: string) => unknown) => () => {
    const text = values.text(index);
    return text === undefined ? undefined : parse(text);
  };
  switch (field.type) {
    case "string":
      return ofText((text) => Buffer.from(text));
    case "date":
      return ofText((text) => daysOf(field, text));
    case "timestamp":
      return ofText((text) => microsOf(field, text));
    case "integer":
      return parsed((token) => integerOf(field, token));
    case "decimal":
      return parsed((token) => bigEndian(unscaledOf(field, token)));
    case "double":
      return parsed(Number);
    case "boolean":
      return parsed((token) => token === "true");
    case "json":
      return parsed((token) => Buffer.from(token));
  }
}

const DECIMAL_BYTES = 16;

/** Two's complement, as DECIMAL in a FIXED_LEN_BYTE_ARRAY wants it. */
function bigEndian(value: bigint): Buffer {
  return Buffer.from(
    BigInt.asUintN(DECIMAL_BYTES * 8, value)
      .toString(16)
      .padStart(DECIMAL_BYTES * 2, "0"),
    "hex",
  );
}

const PHYSICAL = {
  string: "BYTE_ARRAY",
  json: "BYTE_ARRAY",
  integer: "INT64",
  timestamp: "INT64",
  date: "INT32",
  double: "DOUBLE",
  boolean: "BOOLEAN",
  decimal: "FIXED_LEN_BYTE_ARRAY",
} as const;

const CODEC = { none: "UNCOMPRESSED", gzip: "GZIP", snappy: "SNAPPY", zstd: undefined } as const;

/** parquetjs-lite, loaded at first use. */
async function loadLibrary() {
  const { default: parquet } = await import("parquetjs-lite");
  const { default: types } = await import("parquetjs-lite/lib/types.js");
  const { default: util } = await import("parquetjs-lite/lib/util.js");
  const { default: thrift } = await import("parquetjs-lite/gen-nodejs/parquet_types.js");
  types.PARQUET_LOGICAL_TYPES[RAW_INT64] = {
    primitiveType: "INT64",
    originalType: RAW_INT64,
    toPrimitive: (value) => value,
  };

  const element = (field: Field): object => {
    const { precision, scale } = decimalShape(field);
    const logical = (annotation: Record<string, object>) => new thrift.LogicalType(annotation);
    const unit = new thrift.TimeUnit({ MICROS: new thrift.MicroSeconds() });
    const annotations: Partial<Record<Field["type"], Record<string, unknown>>> = {
      string: {
        converted_type: thrift.ConvertedType.UTF8,
        logicalType: logical({ STRING: new thrift.StringType() }),
      },
      json: {
        converted_type: thrift.ConvertedType.JSON,
        logicalType: logical({ JSON: new thrift.JsonType() }),
      },
      date: {
        converted_type: thrift.ConvertedType.DATE,
        logicalType: logical({ DATE: new thrift.DateType() }),
      },
      timestamp: {
        converted_type: thrift.ConvertedType.TIMESTAMP_MICROS,
        logicalType: logical({ TIMESTAMP: new thrift.TimestampType({ isAdjustedToUTC: true, unit }) }),
      },
      decimal: {
        converted_type: thrift.ConvertedType.DECIMAL,
        precision,
        scale,
        type_length: DECIMAL_BYTES,
        logicalType: logical({ DECIMAL: new thrift.DecimalType({ precision, scale }) }),
      },
    };
    return new thrift.SchemaElement({
      name: field.name,
      type: thrift.Type[PHYSICAL[field.type]],
      repetition_type: thrift.FieldRepetitionType.OPTIONAL,
      ...annotations[field.type],
    });
  };

  class Envelope extends parquet.ParquetEnvelopeWriter {
    fields: readonly Field[] = [];

    override writeFooter(): Promise<void> {
      for (const group of this.rowGroups) {
        for (const [index, column] of group.columns.entries())
          column.meta_data.path_in_schema = [this.fields[index]?.name ?? ""];
      }
      const footer = util.serializeThrift(
        new thrift.FileMetaData({
          version: 1,
          schema: [
            new thrift.SchemaElement({ name: "root", num_children: this.fields.length }),
            ...this.fields.map(element),
          ],
          num_rows: this.rowCount,
          row_groups: this.rowGroups,
          created_by: "sluice (parquetjs-lite)",
        }),
      );
      const end = Buffer.alloc(8);
      end.writeUInt32LE(footer.length, 0);
      end.write("PAR1", 4);
      return this.writeSection(Buffer.concat([footer, end]));
    }
  }

  return {
    open(
      { schema, compression }: PortableParquetRequest,
      write: (bytes: Buffer) => Promise<void>,
      rowGroupSize: number,
    ) {
      const codec = CODEC[compression];
      if (codec === undefined) throw new InvariantError("PARQUETJS_CODEC", `parquetjs has no ${compression}`);
      const columns = schema.fields.map(
        (field, index) =>
          [
            columnKey(index),
            {
              type: PHYSICAL[field.type] === "INT64" ? RAW_INT64 : PHYSICAL[field.type],
              optional: true,
              compression: codec,
              statistics: false,
              ...(field.type === "decimal" ? { typeLength: DECIMAL_BYTES } : {}),
            },
          ] as const,
      );
      const built = new parquet.ParquetSchema(Object.fromEntries(columns));
      const options = { rowGroupSize, pageIndex: false } as const;
      const envelope = new Envelope(built, write, () => Promise.resolve(), 0, options);
      envelope.fields = schema.fields;
      return new parquet.ParquetWriter(built, envelope, options);
    },
  };
}
