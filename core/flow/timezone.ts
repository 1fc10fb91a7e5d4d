const FIELDS = ["year", "month", "day", "hour", "minute", "second"] as const;
const DAY_MS = 86_400_000;

/** The clocks of a zone are set: `at` (epoch ms) is the first moment of the offset `after`. */
export interface ClockChange {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** The offsets of a time zone, from the tables of Intl. */
export class Timezone {
  readonly #format: Intl.DateTimeFormat;
  readonly #isUtc: boolean;

  /** RangeError for a name that Intl does not know. */
  constructor(name: string) {
    this.#isUtc = name === "UTC";
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "iso8601",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  }

  /** Milliseconds that the zone's clock is ahead of UTC at `time` (epoch ms). */
  offset(time: number): number {
    if (this.#isUtc) return 0;
    const second = Math.floor(time / 1000) * 1000;
    const parts = new Map<string, number>();
    for (const { type, value } of this.#format.formatToParts(second)) parts.set(type, Number(value));
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, own = 0] = FIELDS.map((name) =>
      parts.get(name),
    );
    return Date.UTC(year, month - 1, day, hour, minute, own) - second;
  }

  /** The first change in (from, to]; undefined: none. */
  change(from: number, to: number): ClockChange | undefined {
    const before = this.offset(from);
    for (let low = from; low < to; ) {
      // A day at a time: over a longer span two changes can cancel out.
      let high = Math.min(low + DAY_MS, to);
      if (this.offset(high) === before) {
        low = high;
        continue;
      }
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (this.offset(middle) === before) low = middle;
        else high = middle;
      }
      return { at: high, before, after: this.offset(high) };
    }
    return undefined;
  }
}
