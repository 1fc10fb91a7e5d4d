import { Refusal } from "./answer.js";
import type { Call } from "./call.js";
import { type Micros, parseTs, tsText } from "./ts.js";

export interface BenchOptions {
  /** Messages of the channel; they cost no memory. */
  readonly records: number;
  /** JSON of one message, about; default 1000. */
  readonly recordBytes?: number;
}

export const BENCH_CHANNEL = "C00000BENCH";
/** Distinct messages; message n is message n modulo this, but for its ts. A multiple of the page size. */
const RING = 999 * 4;
const TS_WIDTH = "1700000000.000000".length;
const FIRST: Micros = 1_600_000_000_000_000;
/** Between two messages; pages are of one hour about. */
const STEP: Micros = 4_000_123;

/** A channel of any size whose pages are patched together rather than rendered: a copy of a stretch of the ring, and each `ts` over it. */
export class Bench {
  readonly records: number;
  private readonly bytes: Buffer;
  private readonly starts: readonly number[];
  private readonly tsAt: readonly number[];

  constructor(options: BenchOptions) {
    this.records = options.records;
    const starts: number[] = [0];
    const tsAt: number[] = [];
    const texts: string[] = [];
    // Newest first, as pages are.
    for (let n = RING - 1; n >= 0; n--) {
      const text = `${JSON.stringify(benchMessage(n, options.recordBytes ?? 1000))},`;
      tsAt.push(Buffer.byteLength(text.slice(0, text.indexOf('"ts":"'))) + '"ts":"'.length);
      texts.push(text);
      starts.push((starts.at(-1) ?? 0) + Buffer.byteLength(text));
    }
    this.bytes = Buffer.from(texts.join(""));
    this.starts = starts;
    this.tsAt = tsAt;
  }

  /** ts of the nth message, from 0, the oldest. */
  at(n: number): Micros {
    return FIRST + n * STEP;
  }

  /** The body of a page of conversations.history. */
  history(call: Call): readonly Buffer[] {
    const limit = call.limit(100, 999);
    const inclusive = call.flag("inclusive") ? 1 : 0;
    const oldest = call.ts("oldest");
    const latest = call.ts("latest");
    const low = oldest === undefined ? 0 : this.rank(oldest + 1 - inclusive);
    let high = latest === undefined ? this.records : this.rank(latest + inclusive);
    const cursor = call.text("cursor");
    if (cursor !== undefined) {
      const place = /^next_ts:(\d+)$/.exec(Buffer.from(cursor, "base64").toString("latin1"))?.[1];
      if (place === undefined) throw new Refusal("invalid_cursor");
      high = Math.min(high, this.rank(Number(place) + 1));
    }
    const start = Math.max(low, high - limit);
    const hasMore = start > low;
    const next = hasMore ? Buffer.from(`next_ts:${this.at(start - 1)}`).toString("base64") : "";
    const tail = `],"has_more":${hasMore},"pin_count":0,"response_metadata":{"next_cursor":"${next}"}}`;
    return [Buffer.from('{"ok":true,"messages":['), ...this.messages(start, high), Buffer.from(tail)];
  }

  /** Messages `from` up to `to`, newest first. */
  private messages(from: number, to: number): Buffer[] {
    const pieces: Buffer[] = [];
    let n = to - 1;
    while (n >= from) {
      // The ring holds them newest first as well: message n stands at RING - 1 - n modulo RING.
      const first = RING - 1 - (n % RING);
      const count = Math.min(n - from + 1, RING - first);
      const base = this.starts[first] ?? 0;
      const page = Buffer.from(this.bytes.subarray(base, this.starts[first + count] ?? 0));
      for (let k = 0; k < count; k++) {
        const place = (this.starts[first + k] ?? 0) - base + (this.tsAt[first + k] ?? 0);
        page.write(tsText(this.at(n - k)), place, TS_WIDTH, "latin1");
      }
      pieces.push(page);
      n -= count;
    }
    const last = pieces.pop();
    // Without the last comma.
    return last === undefined ? [] : [...pieces, last.subarray(0, last.length - 1)];
  }

  /** How many messages are older than `at`. */
  private rank(at: Micros): number {
    return Math.min(this.records, Math.max(0, Math.ceil((at - FIRST) / STEP)));
  }
}

function benchMessage(n: number, bytes: number): Record<string, unknown> {
  const user = `U${String(n % 500).padStart(8, "0")}`;
  const text = `Message ${n}: Grüße aus dem Maschinenraum, 進捗どうですか 🚀 `;
  const message = {
    type: "message",
    user,
    text,
    ts: tsText(parseTs("1700000000.000000") ?? 0),
    team: "T0000ACME",
    client_msg_id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    blocks: [
      {
        type: "rich_text",
        block_id: `b${n}`,
        elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
      },
    ],
    reactions: n % 7 === 0 ? [{ name: "eyes", users: [user], count: 1 }] : undefined,
    filler: "",
  };
  const missing = bytes - Buffer.byteLength(JSON.stringify(message));
  return {
    ...message,
    filler: undefined,
    text: text + "lorem ipsum ".repeat(1000).slice(0, Math.max(0, missing)),
  };
}
