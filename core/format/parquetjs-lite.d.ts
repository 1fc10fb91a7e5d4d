/** The parts of parquetjs-lite 0.8.7 that the portable writer uses; the package has no types of its own. */
declare module "parquetjs-lite" {
  /** A column's description, once built into a schema. */
  interface ParquetField {
    readonly path: readonly string[];
  }
  class ParquetSchema {
    constructor(fields: Record<string, ParquetColumn>);
    readonly fieldList: readonly ParquetField[];
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
}

/** The table of types; entries may be added. */
declare module "parquetjs-lite/lib/types.js" {
  export const PARQUET_LOGICAL_TYPES: Record<
    string,
    { primitiveType: string; originalType?: string; toPrimitive: (value: unknown) => unknown }
  >;
}

declare module "parquetjs-lite/lib/util.js" {
  export function serializeThrift(message: object): Buffer;
}

/** Thrift classes generated from parquet.thrift; constructors take a struct's fields. */
declare module "parquetjs-lite/gen-nodejs/parquet_types.js" {
  type Struct = new (fields?: Record<string, unknown>) => object;
  export const FileMetaData: Struct;
  export const SchemaElement: Struct;
  export const LogicalType: Struct;
  export const StringType: Struct;
  export const DecimalType: Struct;
  export const DateType: Struct;
  export const TimestampType: Struct;
  export const TimeUnit: Struct;
  export const MicroSeconds: Struct;
  export const JsonType: Struct;
  export const Type: Record<
    "BOOLEAN" | "INT32" | "INT64" | "DOUBLE" | "BYTE_ARRAY" | "FIXED_LEN_BYTE_ARRAY",
    number
  >;
  export const ConvertedType: Record<"UTF8" | "DECIMAL" | "DATE" | "TIMESTAMP_MICROS" | "JSON", number>;
  export const FieldRepetitionType: Record<"OPTIONAL", number>;
}
