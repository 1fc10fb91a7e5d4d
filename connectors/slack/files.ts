import type { SourceRecord } from "../../core/contracts/index.js";
import { listOf, type SlackApi } from "./api.js";
import type { Window } from "./book.js";
import type { Channel } from "./channels.js";
import type { Item, Range, Step } from "./descent.js";
import { repeatedPage, unexpected } from "./errors.js";
import { decodeIds, isId } from "./ledger.js";
import { type Micros, microsOfNumber } from "./moment.js";
import { type LedgerText, ReconcilingWork, type Shape, type WorkContext } from "./reconcile.js";
import { fileRecord, goneFile, isDeletedFile } from "./shape.js";

/*
 * files.list pages by number, newest first, with bounds of whole seconds at both ends. Page numbers shift when a file is deleted
 * meanwhile, and then one is skipped. So the next request does not ask for the next number but for what is not newer than the
 * oldest second of this page; files of that second are held back until they come again. Only where a whole page shares
 * one second is the next number asked for.
 */

/** The one feed of a workspace: files belong to any number of channels. */
export const WHOLE_WORKSPACE: Channel = {
  id: "",
  name: null,
  isArchived: false,
  updated: undefined,
  members: undefined,
};

const SECOND: Micros = 1_000_000;
const MOST_FILES = 1000;
const SECONDS_OF_A_TS = 10;

interface FilePage {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
  readonly bytes: number;
  readonly place: string;
}

export async function* descendFiles(
  api: SlackApi,
  teamId: string | undefined,
  range: Range,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  // `to` is exclusive, ts_to is not.
  let top = (Math.ceil(range.to / SECOND) - 1) * SECOND;
  let number = 1;
  let held: Item[] = [];
  for (;;) {
    const page = await filePage(api, teamId, { from: range.from, top, number }, pageSize, signal);
    const lowest = page.items.at(-1)?.at ?? top;
    if (
      number > 1 &&
      page.items.length > 0 &&
      page.items.every(({ key }) => held.some((item) => item.key === key))
    ) {
      throw repeatedPage(page.place);
    }
    const goesOn = page.hasMore && page.items.length > 0;
    const whole = [...held, ...page.items.filter(({ key }) => !held.some((item) => item.key === key))];
    if (!goesOn) {
      yield { items: whole, low: range.from ?? 0, last: true, truncated: false, bytes: page.bytes };
      return;
    }
    if (lowest === top) {
      held = whole;
      number++;
      yield { items: [], low: top + SECOND, last: false, truncated: false, bytes: page.bytes };
      continue;
    }
    yield {
      items: whole.filter(({ at }) => at > lowest),
      low: lowest + SECOND,
      last: false,
      truncated: false,
      bytes: page.bytes,
    };
    held = [];
    top = lowest;
    number = 1;
  }
}

async function filePage(
  api: SlackApi,
  teamId: string | undefined,
  bounds: { readonly from: Micros | null; readonly top: Micros; readonly number: number },
  pageSize: number,
  signal: AbortSignal,
): Promise<FilePage> {
  const answer = await api.call(
    "files.list",
    {
      ts_from: bounds.from === null ? undefined : String(Math.ceil(bounds.from / SECOND)),
      ts_to: String(Math.floor(bounds.top / SECOND)),
      count: String(Math.min(pageSize, MOST_FILES)),
      page: String(bounds.number),
      show_files_hidden_by_limit: "true",
      team_id: teamId,
    },
    signal,
  );
  const refused = answer.refused("files");
  const items = listOf(answer, "files").map((raw): Item => {
    const at = microsOfNumber(raw.created);
    if (!isId(raw.id) || at === undefined)
      throw unexpected(answer.place, "holds a file without id or created");
    const key = `${String(at / SECOND).padStart(SECONDS_OF_A_TS, "0")}/${raw.id}`;
    return { key, at, raw, refused: refused.size === 0 ? undefined : refused.get(raw) };
  });
  // Newer ones than asked for: the bounds were not understood, and the place would go round.
  if (items.some(({ at }) => at > bounds.top)) throw repeatedPage(answer.place);
  if (items.some(({ at }, n) => n > 0 && at > (items[n - 1]?.at ?? at))) {
    throw unexpected(answer.place, "does not list files newest first");
  }
  return { items, hasMore: hasMorePages(answer.body), bytes: answer.bytes, place: answer.place };
}

function hasMorePages(body: object): boolean {
  const paging: unknown = Reflect.get(body, "paging");
  if (typeof paging !== "object" || paging === null) return false;
  const page: unknown = Reflect.get(paging, "page");
  const pages: unknown = Reflect.get(paging, "pages");
  return typeof page === "number" && typeof pages === "number" && page < pages;
}

/** `0001512085/F0S43P1CZ`: the second it was created in, then its id. */
function placeOf(key: string): Micros | undefined {
  const seconds = Number(key.slice(0, SECONDS_OF_A_TS));
  return Number.isSafeInteger(seconds) ? seconds * SECOND : undefined;
}

class FileLedger implements LedgerText {
  text = "";
  size = 0;
  last: Micros = 0;

  static resume(text: string): FileLedger {
    const ledger = new FileLedger();
    ledger.text = text;
    for (const key of decodeIds(text).keys()) {
      ledger.size++;
      ledger.last = placeOf(key) ?? 0;
    }
    return ledger;
  }

  add(at: Micros, print: number, key: string): void {
    this.text += `${this.size === 0 ? "" : ","}${key}:${print.toString(36)}`;
    this.size++;
    this.last = at;
  }
}

const SHAPE: Shape = {
  isWanted: () => true,
  record: ({ raw, at }: Item, changed: Micros | null): SourceRecord => fileRecord(raw, at, changed ?? at),
  gone: (key, changed) => goneFile(key.slice(SECONDS_OF_A_TS + 1), placeOf(key) ?? 0, changed),
  at: placeOf,
  decode: decodeIds,
  ledger: FileLedger.resume,
  isGone: ({ raw }) => isDeletedFile(raw),
  grain: SECOND,
};

export function fileWork(context: WorkContext, window: Window): ReconcilingWork {
  return new ReconcilingWork(context, window, SHAPE);
}
