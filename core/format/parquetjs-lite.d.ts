/*
 * The parts of parquetjs-lite 0.8.7 that the portable writer uses; the package has no types of its own. It is CommonJS,
 * so all of a module is its default export.
 */
declare module "parquetjs-lite" {
  class ParquetSchema {
    constructor(fields: Record<string, ParquetColumn>);
  }
  interface ParquetColumn {
    readonly type: string;
    readonly optional: boolean;
    readonly compression: "UNCOMPRESSED" | "GZIP" | "SNAPPY";
    readonly statistics: false;
    readonly typeLength?: number;
  }
  interface RowGroup {
    readonly columns: readonly { readonly meta_data: { path_in_schema: readonly string[] } }[];
  }
  interface EnvelopeOptions {
    readonly pageSize?: number;
    readonly pageIndex?: false;
    readonly rowGroupSize?: number;
  }
  class ParquetEnvelopeWriter {
    constructor(
      schema: ParquetSchema,
      write: (bytes: Buffer) => Promise<void>,
      close: () => Promise<void>,
      fileOffset: number,
      options: EnvelopeOptions,
    );
    readonly rowCount: number;
    readonly rowGroups: readonly RowGroup[];
    writeSection(bytes: Buffer): Promise<void>;
    writeFooter(userMetadata: Record<string, string>): Promise<void>;
  }
  class ParquetWriter {
    constructor(schema: ParquetSchema, envelope: ParquetEnvelopeWriter, options: EnvelopeOptions);
    appendRow(row: Record<string, unknown>): Promise<void>;
    setRowGroupSize(rows: number): void;
    close(): Promise<void>;
  }
  const parquet: {
    readonly ParquetSchema: typeof ParquetSchema;
    readonly ParquetEnvelopeWriter: typeof ParquetEnvelopeWriter;
    readonly ParquetWriter: typeof ParquetWriter;
  };
  export default parquet;
}

/** The table of types; entries may be added. */
declare module "parquetjs-lite/lib/types.js" {
  interface ParquetType {
    readonly primitiveType: string;
    readonly originalType?: string;
    readonly toPrimitive: (value: unknown) => unknown;
  }
  const types: { readonly PARQUET_LOGICAL_TYPES: Record<string, ParquetType> };
  export default types;
}

declare module "parquetjs-lite/lib/util.js" {
  const util: { serializeThrift(message: object): Buffer };
  export default util;
}

/** Thrift classes generated from parquet.thrift; constructors take a struct's fields. */
declare module "parquetjs-lite/gen-nodejs/parquet_types.js" {
  type Struct = new (fields?: Record<string, unknown>) => object;
  type StructName =
    | "FileMetaData"
    | "SchemaElement"
    | "LogicalType"
    | "StringType"
    | "DecimalType"
    | "DateType"
    | "TimestampType"
    | "TimeUnit"
    | "MicroSeconds"
    | "JsonType";
  type TypeName = "BOOLEAN" | "INT32" | "INT64" | "DOUBLE" | "BYTE_ARRAY" | "FIXED_LEN_BYTE_ARRAY";
  const thrift: Readonly<Record<StructName, Struct>> & {
    readonly Type: Readonly<Record<TypeName, number>>;
    readonly ConvertedType: Readonly<
      Record<"UTF8" | "DECIMAL" | "DATE" | "TIMESTAMP_MICROS" | "JSON", number>
    >;
    readonly FieldRepetitionType: Readonly<Record<"OPTIONAL", number>>;
  };
  export default thrift;
}
