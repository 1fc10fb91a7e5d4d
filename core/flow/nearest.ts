import { editDistance } from "../contracts/index.js";

const folded = (name: string) => name.toLowerCase().replaceAll(/[-_\s]/g, "");

/**
 * The candidate a person most likely meant: the same but for case, `-` and `_`; or a few typing slips away; or the
 * only one that begins with what was typed. Undefined when nothing is near.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  // A pasted document in place of a name has no near neighbour, and would cost quadratic time to say so.
  if (name.length === 0 || name.length > 200) return undefined;
  const typed = folded(name);
  const limit = typed.length <= 4 ? 1 : typed.length <= 8 ? 2 : 3;
  let best: string | undefined;
  let bestDistance = limit + 1;
  const beginnings: string[] = [];
  for (const candidate of candidates) {
    const folding = folded(candidate);
    if (folding === typed) return candidate;
    if (typed.length >= 3 && folding.startsWith(typed)) beginnings.push(candidate);
    const steps = editDistance(typed, folding, limit);
    // A name of one or two letters is "near" everything: replacing all of it is no typing slip.
    if (steps < bestDistance && steps < Math.max(typed.length, folding.length)) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best ?? (beginnings.length === 1 ? beginnings[0] : undefined);
}

/** ` (did you mean "x"?)`, else ` (valid: a, b, c)` where the list is short enough to help, else nothing. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const all = [...candidates];
  const near = nearestName(name, all);
  if (near !== undefined) return ` (did you mean "${near}"?)`;
  return all.length > 0 && all.length <= 20 ? ` (valid: ${all.join(", ")})` : "";
}
