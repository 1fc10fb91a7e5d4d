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
    const near = distance(typed, folded, limit);
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

/** Edit distance (insert, delete, replace, swap of neighbours), at most `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? limit + 1;
}
