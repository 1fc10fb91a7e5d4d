/**
 * Whether a queue's name fits a pattern: `*` stands for any characters, also none, `?` for one. Linear but for going back
 * to the last star, as no name has more than 80 characters.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let behindStar = 0;
  for (let i = 0; i < name.length; ) {
    if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[i])) {
      at++;
      i++;
    } else if (pattern[at] === "*") {
      star = at++;
      behindStar = i;
    } else if (star >= 0) {
      // The last star takes one character more.
      at = star + 1;
      i = ++behindStar;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
