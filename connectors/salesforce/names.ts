import { editDistance } from "../../core/contracts/index.js";

/**
 * Names out of `known` that a person may have meant by `name`, best first, at most three: the same but for case, a few
 * typing slips away, or containing it.
 */
export function nearestNames(name: string, known: Iterable<string>): string[] {
  const typed = name.slice(0, 80).toLowerCase();
  const limit = typed.length <= 4 ? 1 : typed.length <= 8 ? 2 : 3;
  const found: { name: string; distance: number }[] = [];
  for (const candidate of known) {
    const folded = candidate.toLowerCase();
    const near = editDistance(typed, folded, limit);
    if (near <= limit) found.push({ name: candidate, distance: near });
    else if (typed.length >= 3 && folded.includes(typed))
      found.push({ name: candidate, distance: limit + 1 });
  }
  found.sort((a, b) => a.distance - b.distance || a.name.length - b.name.length);
  return found.slice(0, 3).map((entry) => entry.name);
}

/** ` Did you mean Account or AccountTeam?`, or what to do where nothing is near. */
export function suggestion(name: string, known: Iterable<string>, otherwise: string): string {
  const near = nearestNames(name, known);
  return near.length === 0 ? otherwise : `Did you mean ${near.join(" or ")}?`;
}
