import type { DeadLetter } from "./deadletters.js";

/** Dead letters that were refused alike. */
export interface RefusalCount {
  readonly flow: string;
  readonly stage: string;
  readonly sink: string | undefined;
  readonly rule: string;
  /** The first one's reason, for all that differ only in the values they name. */
  readonly reason: string;
  readonly count: number;
  /** Epoch ms. */
  readonly oldest: number;
  readonly newest: number;
}

/** Kinds of reasons told apart; beyond them a rule's reasons are counted together. */
const MOST_KINDS = 10_000;

/** How often each flow, rule and kind of reason occurs, most frequent first. Memory does not grow with the letters. */
export function countRefusals(letters: Iterable<DeadLetter>): RefusalCount[] {
  const counts = new Map<string, { -readonly [K in keyof RefusalCount]: RefusalCount[K] }>();
  for (const letter of letters) {
    const { flow, stage, sink, rule, reason, rejectedAt } = letter;
    const place = [flow, stage, sink ?? "", rule];
    const kind = [...place, kindOf(reason)].join("\n");
    const key = counts.has(kind) || counts.size < MOST_KINDS ? kind : place.join("\n");
    const count = counts.get(key);
    if (count === undefined) {
      counts.set(key, { flow, stage, sink, rule, reason, count: 1, oldest: rejectedAt, newest: rejectedAt });
    } else {
      count.count++;
      count.oldest = Math.min(count.oldest, rejectedAt);
      count.newest = Math.max(count.newest, rejectedAt);
    }
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

/** A reason without the values in it: quoted texts and numbers. */
function kindOf(reason: string): string {
  return reason.replaceAll(/"(?:[^"\\]|\\.)*"|'[^']*'|-?\d[\d.,:TZ+-]*/g, "?");
}
