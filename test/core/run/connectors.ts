import { z } from "zod";
import type {
  FinishedRun,
  Load,
  LoadReceipt,
  Page,
  PrepareRequest,
  ReadRequest,
  SinkConnector,
  SinkWriter,
  SourceConnector,
  SourceField,
  SourceRecord,
  Value,
  WriteMode,
} from "../../../core/contracts/index.js";
import type { Connectors } from "../../../core/flow/types.js";

/** A source whose pages a test scripts; it remembers what it was asked. */
export class ScriptedSource {
  /** Pages per read; the last read's pages serve every later one. */
  reads: Page[][] = [];
  readonly requests: ReadRequest[] = [];
  /** What the stream is described with. */
  fields: readonly SourceField[] = [
    { name: "id", type: "string", filterable: true },
    { name: "name", type: "string", filterable: true },
    { name: "amount", type: "decimal", precision: 18, scale: 2, filterable: true },
    { name: "stamp", type: "timestamp", filterable: true },
  ];
  /** In place of `reads`: a source that really follows its cursor. */
  reader: ((request: ReadRequest) => AsyncIterable<Page>) | undefined;
  /** Called before each page is handed out: throw to fail there. */
  beforePage: (index: number) => void | Promise<void> = () => undefined;

  connector(): SourceConnector {
    const script = this;
    return {
      spec: {
        name: "scripted",
        title: "Scripted",
        description: "Pages of a test.",
        configSchema: z.strictObject({}),
        optionsSchema: z.strictObject({}),
        streams: ["things"],
      },
      connect: () => ({
        check: () => Promise.resolve({ identity: "test", details: {}, warnings: [] }),
        discover: () => Promise.resolve([{ name: "things", label: "Things", readable: true }]),
        describe: () =>
          Promise.resolve({
            stream: "things",
            fields: script.fields,
            primaryKey: ["id"],
            cursors: ["stamp"],
            defaultLookbackMs: 0,
          }),
        plan: () =>
          Promise.resolve({
            query: "things",
            pushedDown: [],
            notPushedDown: [],
            window: undefined,
            records: null,
            apiCalls: null,
          }),
        async *read(request) {
          script.requests.push(request);
          if (script.reader !== undefined) return yield* script.reader(request);
          const pages = script.reads[Math.min(script.requests.length, script.reads.length) - 1] ?? [];
          for (const [index, page] of pages.entries()) {
            await script.beforePage(index);
            // The engine empties what it has stored; here it is handed out again.
            yield { ...page, records: [...page.records] };
          }
        },
        apiCalls: () => script.requests.length,
        close: () => Promise.resolve(),
      }),
    };
  }
}

export interface StoredLoad {
  readonly id: string;
  readonly generation: string;
  readonly lines: readonly string[];
}

/** A sink that keeps loads by id, as an idempotent one does, and fails on request. */
export class ScriptedSink {
  readonly loads = new Map<string, StoredLoad>();
  readonly attempts: string[] = [];
  readonly finished: { run: string; generation: string; complete: boolean; records: number }[] = [];
  /** Files that `finish` named, by run. */
  readonly manifests = new Map<string, readonly string[]>();
  /** Called before a load is applied: throw to refuse it. */
  beforeWrite: (load: Load, lines: readonly string[]) => void | Promise<void> = () => undefined;
  beforePrepare: (request: PrepareRequest) => void = () => undefined;
  beforeFinish: (run: FinishedRun) => void = () => undefined;
  /** Called after a load is applied: throw to lose the answer. */
  afterWrite: (load: Load) => void = () => undefined;
  loadBytes = 1_000_000;

  /** Every line of every load, in order of load ids. */
  get records(): Record<string, Value>[] {
    return [...this.loads.values()].flatMap(({ lines }) => lines.map((line) => JSON.parse(line)));
  }

  connector(name: string): SinkConnector {
    const targetSchema = z.strictObject({
      name: z.string(),
      write: z.enum(["append", "upsert", "replace"]).default("append"),
      key: z.array(z.string()).default([]),
    });
    return {
      spec: {
        name,
        title: name,
        description: "Keeps loads.",
        configSchema: z.strictObject({}),
        targetSchema,
        capabilities: { kind: "files", writeModes: ["append", "upsert", "replace"], loadBytes: 1_000_000 },
      },
      connect: () => ({
        check: () => Promise.resolve({ identity: "test", details: {}, warnings: [] }),
        open: (target) => {
          const { name: place, write } = targetSchema.parse(target);
          return this.writer(write, `${name}/${place}`);
        },
        close: () => Promise.resolve(),
      }),
    };
  }

  writer(mode: WriteMode, target: string): SinkWriter {
    return {
      target,
      mode,
      loadBytes: this.loadBytes,
      prepare: (request) => {
        this.beforePrepare(request);
        return Promise.resolve([]);
      },
      write: async (load) => {
        this.attempts.push(load.id);
        const chunks: Buffer[] = [];
        for await (const chunk of load.chunks()) chunks.push(Buffer.from(chunk));
        const text = Buffer.concat(chunks).toString();
        const lines = text.split("\n").slice(0, -1);
        await this.beforeWrite(load, lines);
        const before = this.loads.get(load.id);
        if (before !== undefined && before.lines.join("\n") !== lines.join("\n")) {
          throw new Error(`load ${load.id} came again with other bytes`);
        }
        this.loads.set(load.id, { id: load.id, generation: load.generation, lines });
        this.afterWrite(load);
        const receipt: LoadReceipt = {
          records: lines.length,
          bytes: text.length,
          files: [{ path: `/sink/${load.id}`, records: lines.length, bytes: text.length }],
          repeated: before !== undefined,
        };
        return receipt;
      },
      finish: async (run) => {
        this.beforeFinish(run);
        this.manifests.set(
          run.run,
          run.files.map(({ path }) => path),
        );
        this.finished.push({
          run: run.run,
          generation: run.generation,
          complete: run.complete,
          records: run.records,
        });
      },
      close: () => Promise.resolve(),
    };
  }
}

export function connectorsOf(
  source: ScriptedSource,
  sinks: Readonly<Record<string, ScriptedSink>>,
): Connectors {
  return {
    sources: new Map([["scripted", source.connector()]]),
    sinks: new Map(Object.entries(sinks).map(([name, sink]) => [name, sink.connector(name)])),
  };
}

/** Records `from`..`to` (exclusive), one second apart; `change` overrides fields. */
export function things(
  from: number,
  to: number,
  change: (n: number) => SourceRecord = () => ({}),
): SourceRecord[] {
  return Array.from({ length: to - from }, (_, i) => {
    const n = from + i;
    return { id: `t${n}`, name: `Thing ${n}`, amount: n, stamp: stampOf(n), ...change(n) };
  });
}

export function stampOf(n: number): string {
  return new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString();
}

export function page(records: SourceRecord[], cursor: Value, more: Partial<Page> = {}): Page {
  return { records, cursor, bytes: 100 * records.length, ...more };
}
