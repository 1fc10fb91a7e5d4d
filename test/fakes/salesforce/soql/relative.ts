const DAY = 86_400_000;

/** What a date literal such as `LAST_N_DAYS:7` covers, [from, to) in epoch milliseconds; days are UTC days. */
export function relativeRange(name: string, n: number | undefined, now: number): readonly [number, number] {
  const today = Math.floor(now / DAY) * DAY;
  const date = new Date(today);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const week = today - date.getUTCDay() * DAY;
  switch (name) {
    case "TODAY":
      return [today, today + DAY];
    case "YESTERDAY":
      return [today - DAY, today];
    case "TOMORROW":
      return [today + DAY, today + 2 * DAY];
    case "THIS_WEEK":
      return [week, week + 7 * DAY];
    case "LAST_WEEK":
      return [week - 7 * DAY, week];
    case "THIS_MONTH":
      return [Date.UTC(year, month), Date.UTC(year, month + 1)];
    case "LAST_MONTH":
      return [Date.UTC(year, month - 1), Date.UTC(year, month)];
    case "THIS_YEAR":
      return [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
    case "LAST_YEAR":
      return [Date.UTC(year - 1, 0), Date.UTC(year, 0)];
    case "LAST_N_DAYS":
      return [today - (n ?? 0) * DAY, today + DAY];
    default:
      return [today + DAY, today + ((n ?? 0) + 1) * DAY];
  }
}
