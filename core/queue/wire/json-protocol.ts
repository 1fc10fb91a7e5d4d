import { isAscii, isUtf8 } from "node:buffer";
import type { Action, Call } from "./action.js";
import { ACTIONS } from "./actions/index.js";
import type { HttpAnswer } from "./http-answer.js";
import { JsonParameters } from "./json-parameters.js";
import { type WireError, wireRefusals } from "./wire-error.js";

/** AWS JSON 1.0, as current SDKs speak it. Exactly so, without a charset: clients compare. */
const JSON_TYPE = "application/x-amz-json-1.0";

const HEADERS = ["Content-Type", JSON_TYPE];

/** As all but a few clients name them. */
const BY_TARGET = new Map([...ACTIONS].map(([name, action]) => [`AmazonSQS.${name}`, action]));
/** `AmazonSQS.SendMessage`; older drafts of the protocol differ before the dot. */
const TARGET = /^AmazonSQS(?:_\d+)?\.(\w+)$/;

export async function runJson(target: string, body: Buffer, call: Call): Promise<HttpAnswer> {
  const action = BY_TARGET.get(target) ?? actionOf(target);
  const answer = await action.run(new JsonParameters(parsed(body)), call);
  return { status: 200, headers: HEADERS, body: JSON.stringify(answer) };
}

function actionOf(target: string): Action {
  const name = TARGET.exec(target)?.[1] ?? target;
  const action = ACTIONS.get(name);
  if (action === undefined) throw wireRefusals.unknownAction(name);
  return action;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(textOf(body));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw wireRefusals.malformed("The request is not valid JSON.");
  }
}

/** Most requests are ASCII, which is copied rather than decoded. */
function textOf(body: Buffer): string {
  if (isAscii(body)) return body.toString("latin1");
  if (!isUtf8(body)) throw wireRefusals.malformed("The request is not UTF-8 text.");
  return body.toString("utf8");
}

export function jsonError({ type, queryCode, status, fault, message }: WireError): HttpAnswer {
  return {
    status,
    headers: [...HEADERS, "x-amzn-query-error", `${queryCode};${fault}`],
    body: JSON.stringify({ __type: type, message }),
  };
}
