import { isUtf8 } from "node:buffer";
import type { Call } from "./action.js";
import { ACTIONS } from "./actions/index.js";
import type { HttpAnswer } from "./http-answer.js";
import { JsonParameters } from "./json-parameters.js";
import { type WireError, wireRefusals } from "./wire-error.js";

/** AWS JSON 1.0, as current SDKs speak it. Exactly so, without a charset: clients compare. */
const JSON_TYPE = "application/x-amz-json-1.0";

/** `AmazonSQS.SendMessage`; older drafts of the protocol differ before the dot. */
const TARGET = /^AmazonSQS(?:_\d+)?\.(\w+)$/;

export async function runJson(target: string, body: Buffer, call: Call): Promise<HttpAnswer> {
  const name = TARGET.exec(target)?.[1] ?? target;
  const action = ACTIONS.get(name);
  if (action === undefined) throw wireRefusals.unknownAction(name);
  const answer = await action.run(new JsonParameters(parsed(body)), call);
  return { status: 200, headers: { "Content-Type": JSON_TYPE }, body: JSON.stringify(answer) };
}

function parsed(body: Buffer): unknown {
  if (!isUtf8(body)) throw wireRefusals.malformed("The request is not UTF-8 text.");
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw wireRefusals.malformed("The request is not valid JSON.");
  }
}

export function jsonError({ type, queryCode, status, fault, message }: WireError): HttpAnswer {
  return {
    status,
    headers: { "Content-Type": JSON_TYPE, "x-amzn-query-error": `${queryCode};${fault}` },
    body: JSON.stringify({ __type: type, message }),
  };
}
