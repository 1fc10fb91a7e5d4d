import { ConfigError } from "../../core/contracts/index.js";
import type { Answer, Parameter } from "./api.js";
import type { ListState, Span } from "./cursor.js";
import { REFUSED_PARAMETER } from "./errors.js";
import { goesRound, type Item, idOf, isItem, itemsOf, unexpected } from "./item.js";
import { type Reading, Sieve, type Step, stepOf, withNewest } from "./reading.js";
import { isoOf } from "./stamp.js";
import { bucketOf, type StreamSpec } from "./streams.js";

/** Longest page of a list. */
export const LIST_PAGE = 100;
/** Offset paging ends here: 10,000 records. */
const LAST_OFFSET_PAGE = 100;

/*
 * Lists.
 *
 *   by cursor --has_more--> by cursor ... --> done
 *   by cursor, first page --no `meta` in the answer, or refused--> by page, from the first --next_page--> by page ... --> done
 *
 * Cursor paging is asked for by page[size]; a list that does not know it ignores it and answers its page one. Offset lists
 * shift while they are read: what comes twice is dropped, what slips through comes with the next full read.
 */
export class ListReader {
  readonly #reading: Reading;
  /** Ids of an offset list, at most its 10,000. */
  readonly #seen = new Set<string | number>();
  readonly #cursors = new Set<string>();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  async step(before: ListState, signal: AbortSignal): Promise<Step<ListState>> {
    const { spec, api, place, until } = this.#reading;
    const ask = (state: ListState): Promise<Answer> =>
      api.get(spec.path, listParameters(this.#reading, state), bucketOf(spec), signal);
    let state = before;
    let answer: Answer;
    try {
      answer = await ask(state);
    } catch (error) {
      const isRefused = error instanceof ConfigError && REFUSED_PARAMETER.has(error.code);
      if (!isRefused || state.page !== null) throw error;
      if (state.after !== null) throw deadCursor(error, place);
      state = { ...state, page: 1 };
      answer = await ask(state);
    }
    if (state.page === null && isOffsetPage(answer.body)) {
      // Its size is the list's own, so that page 2 of ours would not begin where it ends.
      state = { ...state, page: 1 };
      answer = await ask(state);
    }
    const items = itemsOf(answer.body, spec.key, place);
    const refused = answer.refused(spec.key);
    const sieve = new Sieve(spec.cursor, null, refused);
    sieve.take(items, until, false);
    const span = withNewest(state.span, sieve.newest);
    const next = { ...state, span, ...this.#next(answer.body, state) };
    const kept = next.page === null ? sieve.kept : this.#once(sieve.kept);
    return stepOf(this.#reading, next, kept, answer.bytes, refused);
  }

  #next(body: unknown, state: ListState): Pick<ListState, "after" | "page" | "done"> {
    const { place } = this.#reading;
    if (!isItem(body)) throw unexpected("is no object", place);
    const { meta, next_page: nextPage, links } = body;
    if (state.page === null && isItem(meta) && typeof meta.has_more === "boolean") {
      const after =
        typeof meta.after_cursor === "string" && meta.after_cursor !== ""
          ? meta.after_cursor
          : cursorIn(isItem(links) ? links.next : undefined);
      if (!meta.has_more) return { after: after ?? state.after, page: null, done: true };
      if (after === null) throw unexpected("goes on and has no cursor", place);
      if (after === state.after || this.#cursors.has(after)) {
        throw goesRound("the list leads to a page that was read before", place);
      }
      this.#cursors.add(after);
      return { after, page: null, done: false };
    }
    const page = state.page ?? 1;
    if (typeof nextPage !== "string" || nextPage === "") return { after: null, page, done: true };
    if (page >= LAST_OFFSET_PAGE) throw offsetWall(place);
    if (Number(pageIn(nextPage) ?? page + 1) <= page) {
      throw goesRound("the list leads to a page that was read before", place);
    }
    return { after: null, page: page + 1, done: false };
  }

  #once(items: readonly Item[]): Item[] {
    return items.filter((item) => {
      const id = idOf(item);
      if (id === undefined) return true;
      if (this.#seen.has(id)) return false;
      this.#seen.add(id);
      return true;
    });
  }
}

export function listParameters(
  { spec, pageSize, incremental, until }: Pick<Reading, "spec" | "pageSize" | "incremental" | "until">,
  state: Pick<ListState, "after" | "page" | "span">,
): Parameter[] {
  const size = String(Math.min(LIST_PAGE, pageSize));
  const paging: Parameter[] =
    state.page !== null
      ? [
          ["page", String(state.page)],
          ["per_page", size],
        ]
      : [["page[size]", size], ...(state.after === null ? [] : [["page[after]", state.after] as const])];
  // A full read has no end but that of the list.
  const isBounded = incremental || state.span.from !== null || until !== undefined;
  const bounds = isBounded ? windowParameters(spec, state.span) : [];
  return [...paging, ...Object.entries(spec.query ?? {}), ...bounds];
}

function windowParameters(spec: StreamSpec, { from, to }: Span): Parameter[] {
  switch (spec.window) {
    case "startEnd":
      return [...(from === null ? [] : [["start_time", String(from)] as const]), ["end_time", String(to)]];
    case "createdAt":
      return [
        ["filter[created_at][]", isoOf(from ?? 0)],
        ["filter[created_at][]", isoOf(to)],
      ];
    default:
      return [];
  }
}

/** An answer to cursor paging that knows nothing of it, and is not all there is. */
function isOffsetPage(body: unknown): boolean {
  return isItem(body) && !isItem(body.meta) && typeof body.next_page === "string";
}

function deadCursor(cause: ConfigError, place: string): ConfigError {
  return new ConfigError("ZENDESK_LIST_CURSOR", "Zendesk refuses the stored place within the list", {
    place,
    fix: "Run the flow with --full: the list is read anew.",
    cause,
  });
}

function offsetWall(place: string): ConfigError {
  return new ConfigError(
    "ZENDESK_OFFSET_LIMIT",
    "the list has more than the 10,000 records that Zendesk pages through",
    {
      place,
      fix: "Zendesk pages through 10,000 records of this list at most: read another stream.",
    },
  );
}

function cursorIn(url: unknown): string | null {
  if (typeof url !== "string" || !URL.canParse(url)) return null;
  return new URL(url).searchParams.get("page[after]");
}

function pageIn(url: string): string | null {
  return URL.canParse(url) ? new URL(url).searchParams.get("page") : null;
}
