import { editDistance } from "../../core/contracts/index.js";

/** `Did you mean general?` with the nearest of the known names, or what to do where none is near. */
export function suggestion(name: string, known: Iterable<string>, otherwise: string): string {
  const typed = name.slice(0, 80).toLowerCase();
  const limit = typed.length <= 4 ? 1 : typed.length <= 8 ? 2 : 3;
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(typed, candidate.toLowerCase(), limit);
    if (distance <= limit && (best === undefined || distance < best.distance))
      best = { name: candidate, distance };
  }
  return best === undefined ? otherwise : `Did you mean ${best.name}?`;
}

/** Whether a name or id is the one meant: the same, or matching a pattern with `*`. A leading `#` does not count. */
export function matches(pattern: string, ...names: readonly string[]): boolean {
  const wanted = pattern.startsWith("#") ? pattern.slice(1) : pattern;
  if (!wanted.includes("*")) return names.includes(wanted);
  const parts = wanted.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`, "su");
  return names.some((name) => expression.test(name));
}
