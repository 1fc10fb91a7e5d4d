import { ExactNumber, Secret } from "../../contracts/index.js";

/**
 * JSON text of a command's result. Beyond JSON.stringify: ExactNumber and bigint become bare digits, so that no
 * digit of a record is lost, and a Secret its mask. Undefined fields are left out.
 */
export function toJson(value: unknown, indent = 2): string {
  return write(value, indent, "");
}

function write(value: unknown, indent: number, margin: string): string {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Secret || value instanceof Date) return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = margin + " ".repeat(indent);
  const separator = indent > 0 ? ": " : ":";
  const items = Array.isArray(value)
    ? value.map((item) => write(item, indent, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => JSON.stringify(key) + separator + write(item, indent, inner));
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (items.length === 0) return open + close;
  if (indent === 0) return open + items.join(",") + close;
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`;
}
