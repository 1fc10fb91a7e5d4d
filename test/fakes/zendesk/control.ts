import { KINDS } from "./account.js";
import { type Answer, apiError, type FakeRequest, jsonAnswer, rawAnswer } from "./answer.js";
import { parseFaultScript } from "./fault-script.js";
import type { ZendeskFake } from "./server.js";

/**
 * `/__fake/...`: how tests and demos in other processes steer a running fake. Not part of Zendesk: no sign-in, no limit,
 * no faults. `stream` is a kind of record: tickets, users, ticket_events, ...
 *
 *   POST   change  {stream, count, seed?, visibleInMs?}  -> {ids}   a text and the stamp; seen later where visibleInMs is given
 *   POST   insert  {stream, count, seed?}                -> {ids}
 *   POST   delete  {stream, count, seed?}                -> {ids}
 *   GET    streams                                       -> {name: records}
 *   GET    streams/<name>                                -> NDJSON, in the order of stamp and id
 *   PUT    faults  a fault script                        DELETE faults
 *   GET    requests                                      -> counters        DELETE requests
 *   POST   expire-tokens   POST revoke-refresh-token
 *   PUT    limits {perMinute?, exportsPerMinute?}        DELETE limits: all minutes begin anew
 *   GET    environment                                   -> the ZENDESK_... variables
 */
export function control(fake: ZendeskFake, request: FakeRequest): Answer {
  const [, , verb = "", name] = request.path.split("/");
  try {
    if (verb === "streams" && request.method === "GET") {
      if (name === undefined) {
        return jsonAnswer(
          200,
          Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, fake.account.table(kind).size])),
        );
      }
      const lines = fake.account.inOrder(name).map((row) => `${JSON.stringify(row)}\n`);
      return rawAnswer(200, lines.join(""), { "content-type": "application/x-ndjson" });
    }
    return perform(fake, `${request.method} ${verb}`, bodyOf(request));
  } catch (error) {
    return apiError(400, "FakeControl", error instanceof Error ? error.message : String(error));
  }
}

function perform(fake: ZendeskFake, action: string, body: Record<string, unknown>): Answer {
  const stream = () => {
    const value = body.stream;
    if (typeof value !== "string") throw new Error("stream must be text");
    return value;
  };
  const count = () => number(body, "count", 1);
  const seed = () => number(body, "seed", 1);
  switch (action) {
    case "POST change": {
      const inMs = body.visibleInMs === undefined ? undefined : number(body, "visibleInMs", 0);
      const late = inMs === undefined ? {} : { visibleAt: fake.account.now() + inMs };
      return jsonAnswer(200, { ids: fake.account.changeSome(stream(), count(), seed(), late) });
    }
    case "POST insert":
      return jsonAnswer(200, { ids: fake.account.copySome(stream(), count(), seed()) });
    case "POST delete":
      return jsonAnswer(200, { ids: fake.account.deleteSome(stream(), count(), seed()) });
    case "PUT faults":
      fake.faults.set(parseFaultScript(body));
      return jsonAnswer(200, {});
    case "DELETE faults":
      fake.faults.clear();
      return jsonAnswer(200, {});
    case "GET requests":
      return jsonAnswer(200, { ...fake.requests, faults: fake.faults.struck, limited: fake.limits.refused });
    case "DELETE requests":
      fake.requests.reset();
      return jsonAnswer(200, {});
    case "POST expire-tokens":
      fake.oauth.expireAll();
      return jsonAnswer(200, {});
    case "POST revoke-refresh-token":
      fake.oauth.revokeRefreshToken();
      return jsonAnswer(200, {});
    case "PUT limits":
      fake.limits.perMinute = number(body, "perMinute", fake.limits.perMinute);
      fake.limits.exportsPerMinute = number(body, "exportsPerMinute", fake.limits.exportsPerMinute);
      return jsonAnswer(200, {});
    case "DELETE limits":
      fake.limits.reset();
      return jsonAnswer(200, {});
    case "GET environment":
      return jsonAnswer(200, fake.environment());
    default:
      return apiError(404, "FakeControl", `no such control: ${action}`);
  }
}

function bodyOf(request: FakeRequest): Record<string, unknown> {
  if (request.body.length === 0) return {};
  const value: unknown = JSON.parse(request.body.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("the body must be an object");
  return { ...value };
}

function number(body: Record<string, unknown>, key: string, otherwise: number): number {
  const value = body[key] ?? otherwise;
  if (typeof value !== "number") throw new Error(`${key} must be a number`);
  return value;
}
