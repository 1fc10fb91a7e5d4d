import { type FakeRequest, Refusal } from "./answer.js";
import { type Micros, parseTs } from "./ts.js";

/** A call as the methods see it: arguments from the query, a form or JSON, whatever the client sent. */
export class Call {
  readonly method: string;
  private readonly values: ReadonlyMap<string, string>;

  constructor(request: FakeRequest, method: string) {
    this.method = method;
    this.values = new Map([...request.query, ...bodyOf(request)]);
  }

  text(name: string): string | undefined {
    const value = this.values.get(name);
    return value === undefined || value === "" ? undefined : value;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined)
      throw new Refusal("invalid_arguments", {
        response_metadata: { messages: [`[ERROR] missing required field: ${name}`] },
      });
    return value;
  }

  flag(name: string): boolean {
    return ["true", "1"].includes(this.text(name) ?? "");
  }

  whole(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d+$/.test(value)) throw new Refusal(`invalid_${name}`);
    return Number(value);
  }

  /** `limit` between 1 and `most`. */
  limit(otherwise: number, most: number): number {
    const limit = this.whole("limit") ?? otherwise;
    if (limit < 1 || limit > most) throw new Refusal("invalid_limit");
    return limit;
  }

  ts(name: "oldest" | "latest" | "ts"): Micros | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const at = parseTs(value);
    if (at === undefined) throw new Refusal(name === "ts" ? "thread_not_found" : `invalid_ts_${name}`);
    return at;
  }
}

function bodyOf(request: FakeRequest): [string, string][] {
  if (request.body.length === 0) return [];
  const type = request.headers["content-type"] ?? "";
  const text = request.body.toString("utf8");
  if (type.startsWith("application/x-www-form-urlencoded")) return [...new URLSearchParams(text)];
  if (!type.startsWith("application/json")) throw new Refusal("invalid_post_type");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Refusal("json_not_object");
    return Object.entries(value).map(([name, inner]) => [
      name,
      typeof inner === "string" ? inner : JSON.stringify(inner),
    ]);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Refusal("invalid_json");
    throw error;
  }
}
