import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** What a comparison found; all zero when both sides hold the same. */
export interface Comparison {
  readonly what: string;
  readonly rows: number;
  /** In the org and not in the sink, or with other values there. */
  readonly missing: number;
  /** In the sink and not in the org, or with other values there. */
  readonly extra: number;
  /** Rows that stand more often than once. */
  readonly repeated: number;
}

export interface Sides {
  readonly columnsOf: string;
  readonly expected: string;
  readonly actual: string;
  readonly once: readonly string[];
}

/** Compares by SQL, column by column, as DuckDB reads both sides; nothing of the product takes part. */
export class Comparer {
  readonly #connection: DuckDBConnection;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(): Promise<Comparer> {
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new Comparer(connection);
  }

  async attach(path: string): Promise<void> {
    await this.#connection.run(`ATTACH '${path}' AS warehouse (READ_ONLY)`);
  }

  async detach(): Promise<void> {
    await this.#connection.run("DETACH warehouse");
  }

  /**
   * All are relations. Every column of `columnsOf` is compared as the type it has there (numbers as DOUBLE, since
   * decimals and doubles of one value must count as equal). `once`: columns that may stand only once.
   */
  async compare(what: string, { columnsOf, expected, actual, once }: Sides): Promise<Comparison> {
    const columns = await this.#columns(columnsOf);
    const left = columns
      .map(({ name, type }) => `CAST("${name}" AS ${comparable(type)}) AS "${name}"`)
      .join(", ");
    const keys = once.map((name) => `"${name}"`).join(", ");
    const [rows = 0, missing = 0, extra = 0, repeated = 0] = await this.#numbers(`
      WITH want AS (SELECT ${left} FROM ${expected}), have AS (SELECT ${left} FROM ${actual})
      SELECT (SELECT count(*) FROM want),
        (SELECT count(*) FROM (FROM want EXCEPT ALL FROM have)),
        (SELECT count(*) FROM (FROM have EXCEPT ALL FROM want)),
        (SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM have GROUP BY ${keys}) WHERE n > 1)`);
    return { what, rows, missing, extra, repeated };
  }

  async #columns(relation: string): Promise<{ name: string; type: string }[]> {
    const result = await this.#connection.runAndReadAll(`DESCRIBE SELECT * FROM ${relation}`);
    return result.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  }

  async #numbers(sql: string): Promise<number[]> {
    const result = await this.#connection.runAndReadAll(sql);
    return (result.getRows()[0] ?? []).map(Number);
  }

  close(): void {
    this.#connection.closeSync();
  }
}

function comparable(type: string): string {
  return /^(DECIMAL|FLOAT|DOUBLE)/.test(type) ? "DOUBLE" : type;
}
