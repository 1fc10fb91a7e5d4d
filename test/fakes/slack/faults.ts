import { Prng } from "../salesforce/prng.js";
import type { Fault, FaultRule, FaultScript, Occurrence } from "./fault-script.js";

interface ArmedRule {
  readonly rule: FaultRule;
  seen: number;
  fired: number;
}

/** The rules in force, with their counts. */
export class Faults {
  private rules: ArmedRule[] = [];
  private random = Prng.named(1, "faults");
  /** How often each kind of fault struck. */
  readonly struck: Record<string, number> = {};

  constructor(script: FaultScript = { rules: [] }) {
    this.set(script);
  }

  /** Replaces all rules; counts start again. */
  set(script: FaultScript): void {
    this.random = Prng.named(script.seed ?? 1, "faults");
    this.rules = script.rules.map((rule) => ({ rule, seen: 0, fired: 0 }));
  }

  add(rule: FaultRule): void {
    this.rules.push({ rule, seen: 0, fired: 0 });
  }

  clear(): void {
    this.rules = [];
  }

  /** Counts the request against every rule it matches; the first rule due gives the fault. */
  strike(path: string, channel: string | undefined): Fault | undefined {
    let fault: Fault | undefined;
    for (const armed of this.rules) {
      const { rule } = armed;
      if (rule.path !== undefined && !path.includes(rule.path)) continue;
      if (rule.channel !== undefined && rule.channel !== channel) continue;
      armed.seen += 1;
      if (armed.fired >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      if (!this.due(rule.on, armed.seen) || fault !== undefined) continue;
      armed.fired += 1;
      fault = rule.fault;
    }
    if (fault !== undefined) this.struck[fault.kind] = (this.struck[fault.kind] ?? 0) + 1;
    return fault;
  }

  private due(on: Occurrence | undefined, seen: number): boolean {
    if (on === undefined) return true;
    if ("every" in on) return seen % on.every === 0;
    if ("probability" in on) return this.random.chance(on.probability);
    return typeof on.nth === "number" ? on.nth === seen : on.nth.includes(seen);
  }
}
