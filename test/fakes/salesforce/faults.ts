import type { Fault, FaultRule, FaultScript, Occurrence } from "./fault-script.js";
import { Prng } from "./prng.js";

interface ArmedRule {
  readonly rule: FaultRule;
  readonly matches: (target: string) => boolean;
  seen: number;
  fired: number;
}

/** The rules in force, with their counts. */
export class Faults {
  private rules: ArmedRule[] = [];
  private random: Prng;
  /** How often each kind of fault struck. */
  readonly struck: Record<string, number> = {};

  constructor(script: FaultScript = { rules: [] }) {
    this.random = Prng.named(script.seed ?? 1, "faults");
    for (const rule of script.rules) this.add(rule);
  }

  /** Replaces all rules; counts start again. */
  set(script: FaultScript): void {
    this.clear();
    this.random = Prng.named(script.seed ?? 1, "faults");
    for (const rule of script.rules) this.add(rule);
  }

  add(rule: FaultRule): void {
    this.rules.push({ rule, matches: pathMatcher(rule.path), seen: 0, fired: 0 });
  }

  clear(): void {
    this.rules = [];
  }

  /** Counts the request against every rule it matches; the first rule due gives the fault. */
  strike(method: string, target: string): Fault | undefined {
    let fault: Fault | undefined;
    for (const armed of this.rules) {
      if (armed.rule.method !== undefined && armed.rule.method !== method) continue;
      if (!armed.matches(target)) continue;
      armed.seen += 1;
      if (armed.fired >= (armed.rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (!this.due(armed.rule.on, armed.seen) || fault !== undefined) continue;
      armed.fired += 1;
      fault = armed.rule.fault;
    }
    if (fault !== undefined) {
      const name =
        fault.kind === "status" ? fault.preset : fault.kind === "poisonRecord" ? fault.poison : fault.kind;
      this.struck[name] = (this.struck[name] ?? 0) + 1;
    }
    return fault;
  }

  private due(on: Occurrence | undefined, seen: number): boolean {
    if (on === undefined) return true;
    if ("every" in on) return seen % on.every === 0;
    if ("probability" in on) return this.random.chance(on.probability);
    return typeof on.nth === "number" ? on.nth === seen : on.nth.includes(seen);
  }
}

function pathMatcher(path: string | undefined): (target: string) => boolean {
  if (path === undefined) return () => true;
  const regular = /^\/(.+)\/([a-z]*)$/.exec(path);
  // "/query/" is a plain part of a path; "/query\/01g/" could be either, so only real regex syntax makes one.
  if (regular?.[1] !== undefined && /[\\^$.*+?()[\]{}|]/.test(regular[1])) {
    const pattern = new RegExp(regular[1], regular[2]);
    return (target) => pattern.test(target);
  }
  return (target) => target.includes(path);
}
