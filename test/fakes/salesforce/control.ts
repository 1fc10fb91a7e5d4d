import { type Answer, apiError, type FakeRequest, jsonAnswer, rawAnswer } from "./answer.js";
import { cellJson } from "./cell.js";
import { parseFaultScript } from "./fault-script.js";
import type { SalesforceFake } from "./server.js";

/**
 * `/__fake/...`: how tests and demos in other processes steer a running fake. Not part of Salesforce: no session,
 * no quota, no faults.
 *
 *   POST   change  {object, count, seed?, field?}   -> {ids}   changes one text field; SystemModstamp = now
 *   POST   insert  {object, count, seed?}           -> {ids}
 *   POST   delete  {object, count, seed?, purge?}   -> {ids}
 *   POST   touch   {object, ids, values?}           -> {ids}
 *   GET    objects                                  -> {name: live rows}
 *   GET    objects/<name>[?deleted=true]            -> NDJSON, every field of every live (or also deleted) row
 *   PUT    faults  a fault script                   DELETE faults
 *   GET    requests                                 -> counters        DELETE requests
 *   POST   expire-tokens   POST close-cursors   POST forget-jobs   PUT daily-limit {limit, used?}
 *   GET    environment                              -> the SF_... variables
 */
export function control(fake: SalesforceFake, request: FakeRequest): Answer {
  const [, , verb = "", name] = request.path.split("/");
  const action = `${request.method} ${verb}`;
  try {
    if (action === "GET objects") {
      return name === undefined
        ? jsonAnswer(200, counts(fake))
        : contents(fake, decodeURIComponent(name), request);
    }
    return perform(fake, action, bodyOf(request));
  } catch (error) {
    return apiError(400, "FAKE_CONTROL", error instanceof Error ? error.message : String(error));
  }
}

function perform(fake: SalesforceFake, action: string, body: Record<string, unknown>): Answer {
  const object = () => text(body, "object");
  const seed = () => number(body, "seed", 1);
  switch (action) {
    case "POST change": {
      const field = body.field === undefined ? undefined : text(body, "field");
      return jsonAnswer(200, { ids: fake.org.changeSome(object(), number(body, "count", 1), seed(), field) });
    }
    case "POST insert":
      return jsonAnswer(200, { ids: fake.org.insertSome(object(), number(body, "count", 1), seed()) });
    case "POST delete":
      return jsonAnswer(200, {
        ids: fake.org.deleteSome(object(), number(body, "count", 1), seed(), body.purge === true),
      });
    case "POST touch": {
      const ids = Array.isArray(body.ids) ? body.ids.map(String) : [];
      fake.org.touch(object(), ids, plainValues(body.values));
      return jsonAnswer(200, { ids });
    }
    case "PUT faults":
      fake.faults.set(parseFaultScript(body));
      return jsonAnswer(200, {});
    case "DELETE faults":
      fake.faults.clear();
      return jsonAnswer(200, {});
    case "GET requests":
      return jsonAnswer(200, { ...fake.requests, faults: fake.faults.struck, apiUsage: fake.apiUsage() });
    case "DELETE requests":
      fake.requests.reset();
      return jsonAnswer(200, {});
    case "POST expire-tokens":
      fake.expireTokens();
      return jsonAnswer(200, {});
    case "POST close-cursors":
      fake.closeCursors();
      return jsonAnswer(200, {});
    case "POST forget-jobs":
      fake.bulk.forget();
      return jsonAnswer(200, {});
    case "PUT daily-limit": {
      const used = body.used === undefined ? undefined : number(body, "used", 0);
      fake.setDailyLimit(number(body, "limit", 15_000), used);
      return jsonAnswer(200, fake.apiUsage());
    }
    case "GET environment":
      return jsonAnswer(200, fake.environment());
    default:
      return apiError(404, "FAKE_CONTROL", `no such control: ${action}`);
  }
}

function counts(fake: SalesforceFake): Record<string, number> {
  return Object.fromEntries(fake.org.all().map((table) => [table.name, table.size - table.deletedRows]));
}

/** Every stored and computed field as REST would send it, without `attributes`, in id order. */
function contents(fake: SalesforceFake, object: string, request: FakeRequest): Answer {
  const table = fake.org.table(object);
  const withDeleted = request.query.get("deleted") === "true";
  const columns = table.columns();
  const lines: string[] = [];
  const rows = [...table.rows()].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const row of rows) {
    if (row.deleted && !withDeleted) continue;
    const members = columns.map(
      (c) => `${JSON.stringify(c.spec.name)}:${cellJson(c.read(row), c.spec.type)}`,
    );
    lines.push(`{${members.join(",")}}\n`);
  }
  return rawAnswer(200, lines.join(""), { "content-type": "application/x-ndjson" });
}

function bodyOf(request: FakeRequest): Record<string, unknown> {
  if (request.body.length === 0) return {};
  const value: unknown = JSON.parse(request.body.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("the body must be an object");
  return { ...value };
}

function text(body: Record<string, unknown>, key: string): string {
  const value = body[key];
  if (typeof value !== "string") throw new Error(`${key} must be text`);
  return value;
}

function number(body: Record<string, unknown>, key: string, otherwise: number): number {
  const value = body[key] ?? otherwise;
  if (typeof value !== "number") throw new Error(`${key} must be a number`);
  return value;
}

function plainValues(value: unknown): Record<string, string | number | boolean | null> {
  const values: Record<string, string | number | boolean | null> = {};
  if (typeof value !== "object" || value === null) return values;
  for (const [name, cell] of Object.entries(value)) {
    if (cell === null || typeof cell === "string" || typeof cell === "number" || typeof cell === "boolean") {
      values[name] = cell;
    } else throw new Error(`${name} must be a plain value`);
  }
  return values;
}
