/**
 * What one field of one row holds, and how REST writes it.
 *
 * datetime cells are epoch milliseconds (a fraction of a millisecond only in orgs read from a folder), date cells
 * `YYYY-MM-DD`, time cells `HH:MM:SS.sssZ`. Text, ids and picklists are strings.
 */
export type Cell = string | number | boolean | null | Digits | CompoundValue;

/** A number that a double cannot hold; REST sends its digits bare, as it does for number(18,0) fields. */
export class Digits {
  readonly text: string;
  constructor(text: string) {
    if (!/^-?\d+(\.\d+)?$/.test(text)) throw new Error(`not plain digits: ${text}`);
    this.text = text;
  }
}

/** A compound address: only its parts are stored, the object exists in answers. */
export interface CompoundValue {
  readonly parts: Readonly<Record<string, string | number | null>>;
}

const TWO: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));
const DAY_MS = 86_400_000;

/** `2026-10-01T12:00:00.000+0000`: REST's form, without a colon in the offset. Years 0001 to 9999. */
export function datetimeText(epochMs: number): string {
  const whole = Math.floor(epochMs);
  const day = Math.floor(whole / DAY_MS);
  const inDay = whole - day * DAY_MS;
  const seconds = Math.floor(inDay / 1000);
  const ms = inDay - seconds * 1000;
  const micros = Math.round((epochMs - whole) * 1000);
  const fraction = ms === 0 ? "000" : String(ms).padStart(3, "0");
  const time = `${TWO[Math.floor(seconds / 3600)]}:${TWO[Math.floor(seconds / 60) % 60]}:${TWO[seconds % 60]}`;
  return `${dayText(day)}T${time}.${fraction}${micros === 0 ? "" : String(micros).padStart(3, "0")}+0000`;
}

/** The civil date of a day since 1970 by integer arithmetic: a Date object per cell would double the cost of a page. */
function dayText(day: number): string {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${TWO[Math.floor(year / 100)]}${TWO[year % 100]}-${TWO[month]}-${TWO[date]}`;
}

/** Number fields with decimals always carry a point, as the real service writes them: `15000.0`. */
export function doubleText(value: number): string {
  if (!Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e15 ? `${value}.0` : BigInt(value).toString() + ".0";
}

/** The cell as JSON text, by the describe type of its field. */
export function cellJson(cell: Cell, type: string): string {
  if (cell === null) return "null";
  if (typeof cell === "string") return JSON.stringify(cell);
  if (typeof cell === "boolean") return cell ? "true" : "false";
  if (typeof cell === "number") {
    if (type === "datetime") return `"${datetimeText(cell)}"`;
    return type === "int" || type === "long" ? String(cell) : doubleText(cell);
  }
  if (cell instanceof Digits) return cell.text;
  return JSON.stringify(cell.parts);
}

/** The cell as a value of a Bulk CSV, in quotes; null is empty. Date times have a Z there. */
export function cellCsv(cell: Cell, type: string): string {
  if (cell === null) return '""';
  if (typeof cell === "string") return `"${cell.includes('"') ? cell.replaceAll('"', '""') : cell}"`;
  if (typeof cell === "number" && type === "datetime") return `"${datetimeText(cell).replace("+0000", "Z")}"`;
  return `"${cellJson(cell, type)}"`;
}

/** Orders two numbers exactly, whichever form they have. */
export function compareNumbers(a: number | Digits, b: number | Digits): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [plainDigits(a), plainDigits(b)];
  const scale = Math.max(left.scale, right.scale);
  const l = left.unscaled * 10n ** BigInt(scale - left.scale);
  const r = right.unscaled * 10n ** BigInt(scale - right.scale);
  return l < r ? -1 : l > r ? 1 : 0;
}

function plainDigits(value: number | Digits): { unscaled: bigint; scale: number } {
  const text = typeof value === "number" ? value.toFixed(10) : value.text;
  const [whole = "0", fraction = ""] = text.split(".");
  return { unscaled: BigInt(whole + fraction), scale: fraction.length };
}
