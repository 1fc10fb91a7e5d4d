import { Prng } from "../salesforce/prng.js";
import { isoSeconds } from "./account.js";
import { type Answer, apiError, type FakeRequest } from "./answer.js";
import { cursorOf, parseCursor } from "./exports.js";

export interface BenchOptions {
  /** Tickets; they cost no memory. At most 999,999,999. */
  readonly records: number;
  /** JSON of one ticket, about; default 1000. */
  readonly recordBytes?: number;
  /** Tickets that share one generated_timestamp; default 50. */
  readonly ties?: number;
  /** Epoch seconds of the first ticket; default 2025-01-01. */
  readonly firstStamp?: number;
}

/** Distinct bodies; ticket n has the body n modulo this. Larger than a page, so that pages seldom wrap. */
const RING = 4_000;
const FIRST_ID = 100_000_000_000_000;
const ID_WIDTH = 15;
const STAMP_WIDTH = 10;
const TEXT_WIDTH = 19;
const MAX_PAGE = 1000;

/** The JSON of one body, and where id, epoch stamp and stamp text stand in it. */
interface Template {
  readonly bytes: Buffer;
  readonly ids: readonly number[];
  readonly stamps: readonly number[];
  readonly texts: readonly number[];
}

/**
 * Tickets of any number by the cursor export. The bodies are rendered once; a page is a copy of some of them with digits
 * written over at known places. Ticket n is a pure function of n, so that any cursor sees the same again.
 */
export class Bench {
  readonly records: number;
  private readonly ties: number;
  private readonly firstStamp: number;
  private readonly templates: readonly Template[];
  private readonly url: () => string;

  constructor(options: BenchOptions, url: () => string) {
    if (!(options.records >= 0 && options.records < 1e9)) throw new Error("bench records: 0 to 999,999,999");
    this.records = options.records;
    this.ties = options.ties ?? 50;
    this.firstStamp = options.firstStamp ?? Date.UTC(2025, 0, 1) / 1000;
    this.templates = Array.from({ length: RING }, (_, at) => template(at, options.recordBytes ?? 1000));
    this.url = url;
  }

  stampOf(n: number): number {
    return this.firstStamp + Math.floor(n / this.ties);
  }

  page(request: FakeRequest, now: number): Answer {
    const { query } = request;
    const cursor = query.get("cursor");
    const place = cursor === null ? undefined : parseCursor(cursor);
    if (cursor !== null && place === undefined)
      return apiError(422, "InvalidValue", "Invalid cursor parameter");
    const start = Number(query.get("start_time") ?? 0);
    const from =
      place === undefined ? Math.max(0, (start - this.firstStamp) * this.ties) : this.behind(place);
    const size = Math.min(MAX_PAGE, Number(query.get("per_page") ?? MAX_PAGE));
    const visible = Math.max(0, (Math.floor(now / 1000) - 60 - this.firstStamp + 1) * this.ties);
    const end = Math.min(this.records, visible);
    const to = Math.max(from, Math.min(end, from + size));
    const next =
      to === from
        ? (cursor ?? cursorOf({ stamp: start, id: -1 }))
        : cursorOf({ stamp: this.stampOf(to - 1), id: FIRST_ID + to - 1 });
    const tail = JSON.stringify({
      after_cursor: next,
      after_url: `${this.url()}${request.path}?cursor=${encodeURIComponent(next)}`,
      before_cursor: cursor,
      before_url: null,
      end_of_stream: to >= end,
    }).slice(1);
    return {
      status: 200,
      headers: { "content-type": "application/json; charset=utf-8" },
      body: [Buffer.from('{"tickets":['), this.render(from, to), Buffer.from(`],${tail}`)],
      compressible: false,
    };
  }

  private behind({ stamp, id }: { readonly stamp: number; readonly id: number }): number {
    return id >= FIRST_ID ? id - FIRST_ID + 1 : Math.max(0, (stamp - this.firstStamp) * this.ties);
  }

  private render(from: number, to: number): Buffer {
    let size = 0;
    for (let n = from; n < to; n++) size += (this.templates[n % RING]?.bytes.length ?? 0) + 1;
    const page = Buffer.allocUnsafe(Math.max(0, size - 1));
    let at = 0;
    let stamp = Number.NaN;
    let digits = "";
    let text = "";
    for (let n = from; n < to; n++) {
      const body = this.templates[n % RING];
      if (body === undefined) throw new Error("the ring has a hole");
      if (n > from) page[at++] = 0x2c;
      body.bytes.copy(page, at);
      if (this.stampOf(n) !== stamp) {
        stamp = this.stampOf(n);
        digits = String(stamp).padStart(STAMP_WIDTH, "0");
        text = isoSeconds(stamp * 1000).slice(0, TEXT_WIDTH);
      }
      const id = String(FIRST_ID + n);
      for (const place of body.ids) page.write(id, at + place, "latin1");
      for (const place of body.stamps) page.write(digits, at + place, "latin1");
      for (const place of body.texts) page.write(text, at + place, "latin1");
      at += body.bytes.length;
    }
    return page;
  }
}

const NOTES = ["Grüße aus Köln", 'quoted \\"text\\"', "line one\\nline two", "日本語", "plain words only"];

function template(at: number, recordBytes: number): Template {
  const random = Prng.named(at, "bench ticket");
  const parts: Buffer[] = [];
  const ids: number[] = [];
  const stamps: number[] = [];
  const texts: number[] = [];
  let length = 0;
  const add = (text: string): void => {
    const bytes = Buffer.from(text);
    parts.push(bytes);
    length += bytes.length;
  };
  const patch = (places: number[], width: number): void => {
    places.push(length);
    add("0".repeat(width));
  };
  const status = random.chance(0.02)
    ? "deleted"
    : random.pick(["new", "open", "pending", "solved", "closed"]);
  add('{"url":"https://bench.zendesk.com/api/v2/tickets/');
  patch(ids, ID_WIDTH);
  add('.json","id":');
  // Never a leading zero: the first id begins with a one.
  patch(ids, ID_WIDTH);
  add(`,"external_id":null,"via":{"channel":"web","source":{"from":{},"to":{},"rel":null}},"created_at":"`);
  patch(texts, TEXT_WIDTH);
  add('Z","updated_at":"');
  patch(texts, TEXT_WIDTH);
  add('Z","generated_timestamp":');
  patch(stamps, STAMP_WIDTH);
  add(
    `,"type":"question","subject":"${random.pick(NOTES)}","priority":${random.chance(0.3) ? "null" : '"high"'}`,
  );
  add(`,"status":"${status}","requester_id":${360_000_000_000_000 + random.below(9999)},"assignee_id":null`);
  add(
    `,"organization_id":null,"group_id":${random.below(99)},"has_incidents":false,"is_public":true,"tags":["billing"]`,
  );
  const custom = `[{"id":360000000000123,"value":"colour_${random.below(9)}"},{"id":360000000000130,"value":null}]`;
  add(`,"custom_fields":${custom},"fields":${custom},"brand_id":360000000000777,"description":"`);
  const close = '"}';
  let filler = "";
  while (length + filler.length + close.length < recordBytes) {
    filler += `${random.pick(["refund", "printer", "delivery", "contract", "meeting"])} `;
  }
  add(filler.slice(0, Math.max(0, recordBytes - length - close.length)) + close);
  return { bytes: Buffer.concat(parts), ids, stamps, texts };
}
