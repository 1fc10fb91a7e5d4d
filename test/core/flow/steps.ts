/** Running single steps of a flow over single records. */
import { expect } from "vitest";
import {
  ConfigError,
  ExactNumber,
  type Field,
  InvariantError,
  type Value,
} from "../../../core/contracts/index.js";
import { compileFlow } from "../../../core/flow/index.js";
import { flowText, plan, project } from "./project.js";

export const FIELDS: readonly Field[] = [
  { name: "Id", type: "string", length: 18 },
  { name: "Name", type: "string", length: 80 },
  { name: "Email", type: "string" },
  { name: "Amount", type: "decimal", precision: 18, scale: 2 },
  { name: "Probability", type: "double" },
  { name: "Count", type: "integer" },
  { name: "Big", type: "integer" },
  { name: "Closed", type: "boolean" },
  { name: "CloseDate", type: "date" },
  { name: "Stamp", type: "timestamp" },
  { name: "Address", type: "json" },
  { name: "Owner.Name", type: "string" },
];

export const exact = (text: string) => new ExactNumber(text);

/** The mapped record as the line that goes to the sink, or what became of it instead. */
export function outcome(middle: string, record: Record<string, Value>, sinks?: string): unknown {
  const made = plan(middle, FIELDS, sinks);
  const result = made.process(record);
  if (result.kind === "filtered") return "filtered";
  const line = result.kind === "mapped" ? made.stringify(result.record) : result.rejection;
  if (typeof line === "string") return line;
  const { stage, rule, reason, action } = line;
  return `${action} ${stage}: ${rule}: ${reason}`;
}

/** Runs one map entry and gives the text of its value in the line. */
export function mapped(entry: string, record: Record<string, Value>): unknown {
  const line = outcome(`map: [${entry}]`, record);
  return typeof line === "string" && line.startsWith('{"x":') ? line.slice(5, -1) : line;
}

export function problemsOf(middle: string, sinks?: string): string[] {
  const loaded = project({ "flows/a.yaml": flowText(middle, sinks) }, { PEPPER: "pepper" });
  const flow = loaded.flows.get("deals");
  if (flow === undefined) throw new InvariantError("TEST", JSON.stringify(loaded.problems));
  try {
    compileFlow({ flow, fields: FIELDS });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe("FLOW_INVALID");
    expect(error.place).toMatch(/^flows\/a\.yaml:\d+:\d+ \S+$/);
    return `${error.place}: ${error.message}`.split("\n");
  }
}
