import { Lane } from "./lane.js";
import { isFifo, type QueueHost, type QueueRow } from "./rows.js";

/** Kept between the works of a process: lanes, and of all of them together packs and bytes of what was sent. */
const MOST_LANES = 16;
const MOST_PACKS = 8_000;
const MOST_CONTENT_BYTES = 8 * 1024 * 1024;

/** The lanes that the works of this process have used last. */
class OpenLanes {
  readonly #lanes = new Map<number, Lane>();

  get(id: number, open: () => Lane): Lane {
    const lane = this.#lanes.get(id) ?? open();
    this.#lanes.delete(id);
    this.#lanes.set(id, lane);
    lane.trim(MOST_PACKS / this.#lanes.size, MOST_CONTENT_BYTES / this.#lanes.size);
    const [longest] = this.#lanes.keys();
    if (this.#lanes.size > MOST_LANES && longest !== undefined) this.#lanes.delete(longest);
    return lane;
  }
}

/** The lane a queue lives in now. Inside a transaction as the work before has saved it. */
export function laneOf({ tables, cache }: Pick<QueueHost, "tables" | "cache">, row: QueueRow): Lane {
  const open = () => new Lane(tables, row.lane, isFifo(row));
  return cache()?.of(OpenLanes).get(row.lane, open) ?? open();
}
