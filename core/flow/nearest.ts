/** Edit distance (insert, delete, replace, swap of neighbours), at most `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped =
        i > 1 &&
        j > 1 &&
        a.charCodeAt(i - 1) === b.charCodeAt(j - 2) &&
        a.charCodeAt(i - 2) === b.charCodeAt(j - 1);
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? limit + 1;
}

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
    const steps = distance(typed, folding, limit);
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
