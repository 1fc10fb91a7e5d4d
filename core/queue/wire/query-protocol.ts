import { type Call, NOTHING } from "./action.js";
import { ACTIONS } from "./actions/index.js";
import type { HttpAnswer } from "./http-answer.js";
import { QueryParameters } from "./query-parameters.js";
import { type WireError, wireRefusals } from "./wire-error.js";
import { xmlAnswer, xmlError } from "./xml.js";

/** The protocol of SDKs before 2023: a form or a query string in, XML out. */
const HEADERS = ["Content-Type", "text/xml"];

/** `form`: of query string and body together. `path`: the queue's, where there is no QueueUrl. */
export async function runQuery(
  form: URLSearchParams,
  path: string,
  call: Call,
  requestId: string,
): Promise<HttpAnswer> {
  const name = form.get("Action");
  if (name === null) throw wireRefusals.missingAction();
  const action = ACTIONS.get(name);
  if (action === undefined) throw wireRefusals.unknownAction(name);
  if (!form.has("QueueUrl") && path !== "/") form.set("QueueUrl", path);
  const answer = await action.run(QueryParameters.from(form), call);
  return { status: 200, headers: HEADERS, body: xmlAnswer(name, answer, requestId, answer !== NOTHING) };
}

export function queryError(error: WireError, requestId: string): HttpAnswer {
  // The one message in which the two protocols differ.
  const message =
    error.queryCode === "AWS.SimpleQueueService.NonExistentQueue"
      ? error.message.replace(/\.$/, " for this wsdl version.")
      : error.message;
  return { status: error.status, headers: HEADERS, body: xmlError({ ...error, message }, requestId) };
}

/** A queue URL opened in a browser, say. */
export const NO_OPERATION: HttpAnswer = {
  status: 404,
  headers: HEADERS,
  body: "<UnknownOperationException/>\n",
};
