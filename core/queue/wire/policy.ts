import { jsonObject } from "./json-object.js";
import { wireRefusals } from "./wire-error.js";

/**
 * Access policies: kept and shown, but without effect, since whoever reaches this endpoint owns its queues. Their limits
 * are the service's (Developer Guide, quotas related to policies).
 */
const MOST_BYTES = 8192;
const MOST_STATEMENTS = 20;
const MOST_PRINCIPALS = 50;
const MOST_CONDITIONS = 10;
const MOST_ACTIONS = 7;

/** Actions that only the owner of a queue may ever take. */
const OWNERS_ACTIONS: ReadonlySet<string> = new Set([
  "AddPermission",
  "CancelMessageMoveTask",
  "CreateQueue",
  "DeleteQueue",
  "ListMessageMoveTasks",
  "ListQueues",
  "ListQueueTags",
  "RemovePermission",
  "SetQueueAttributes",
  "StartMessageMoveTask",
  "TagQueue",
  "UntagQueue",
]);
const GRANTABLE_ACTIONS: ReadonlySet<string> = new Set([
  "*",
  "ChangeMessageVisibility",
  "DeleteMessage",
  "GetQueueAttributes",
  "GetQueueUrl",
  "ListDeadLetterSourceQueues",
  "PurgeQueue",
  "ReceiveMessage",
  "SendMessage",
]);

interface Policy extends Readonly<Record<string, unknown>> {
  readonly Statement: readonly object[];
}

/** The text as it is, or InvalidAttributeValue. */
export function checkPolicy(text: string): string {
  if (Buffer.byteLength(text) > MOST_BYTES || parse(text) === undefined)
    throw wireRefusals.attributeValue("Policy");
  return text;
}

/** Undefined unless it is a policy within the limits. */
function parse(text: string): Policy | undefined {
  const policy = jsonObject(text);
  if (policy === undefined) return undefined;
  const statements = listOf(Reflect.get(policy, "Statement")).map((statement) =>
    typeof statement === "object" && statement !== null ? statement : undefined,
  );
  const sound = statements.filter((statement) => statement !== undefined);
  if (sound.length === 0 || sound.length !== statements.length || sound.length > MOST_STATEMENTS)
    return undefined;
  const sum = (count: (statement: object) => number) => sound.reduce((all, one) => all + count(one), 0);
  if (sum(principals) > MOST_PRINCIPALS || sum(conditions) > MOST_CONDITIONS) return undefined;
  if (sound.some((statement) => listOf(Reflect.get(statement, "Action")).length > MOST_ACTIONS))
    return undefined;
  return { ...policy, Statement: sound };
}

/** One or a list of them, as IAM writes both. */
function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function principals(statement: object): number {
  const principal: unknown = Reflect.get(statement, "Principal");
  if (typeof principal !== "object" || principal === null) return listOf(principal).length;
  return Object.values(principal).reduce((all: number, one) => all + listOf(one).length, 0);
}

function conditions(statement: object): number {
  const condition: unknown = Reflect.get(statement, "Condition");
  return typeof condition === "object" && condition !== null ? Object.keys(condition).length : 0;
}

export interface Permission {
  readonly label: string;
  readonly accounts: readonly string[];
  readonly actions: readonly string[];
}

const LABEL = /^[A-Za-z0-9_-]{1,80}$/;

/** The policy with one more statement. */
export function withPermission(policy: string | undefined, permission: Permission, arn: string): string {
  const { label, accounts, actions } = permission;
  if (!LABEL.test(label))
    throw wireRefusals.value(
      "Label",
      label,
      "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    );
  if (actions.length === 0) throw wireRefusals.missing("Actions");
  if (accounts.length === 0 || accounts.some((account) => !/^\d{12}$/.test(account)))
    throw wireRefusals.value("PrincipalId", `[${accounts.join(", ")}]`, "Unable to verify.");
  if (actions.length > MOST_ACTIONS) throw wireRefusals.tooManyActions(actions.length);
  for (const action of actions) {
    if (OWNERS_ACTIONS.has(action))
      throw wireRefusals.value(
        "ActionName",
        `SQS:${action}`,
        "Only the queue owner is allowed to invoke this action.",
      );
    if (!GRANTABLE_ACTIONS.has(action))
      throw wireRefusals.value(
        "ActionName",
        `SQS:${action}`,
        "Please refer to the appropriate WSDL for a list of valid actions.",
      );
  }
  const current = (policy === undefined ? undefined : parse(policy)) ?? {
    Version: "2008-10-17",
    Id: `${arn}/SQSDefaultPolicy`,
    Statement: [],
  };
  if (current.Statement.some((statement) => Reflect.get(statement, "Sid") === label))
    throw wireRefusals.value("Label", label, "Already exists.");
  const statement = {
    Sid: label,
    Effect: "Allow",
    Principal: { AWS: oneOrAll(accounts.map((account) => `arn:aws:iam::${account}:root`)) },
    Action: oneOrAll(actions.map((action) => `SQS:${action}`)),
    Resource: arn,
  };
  return checkPolicy(JSON.stringify({ ...current, Statement: [...current.Statement, statement] }));
}

/** The policy without the labelled statement; null when no other is left. */
export function withoutPermission(policy: string | undefined, label: string): string | null {
  const current = policy === undefined ? undefined : parse(policy);
  const left = current?.Statement.filter((statement) => Reflect.get(statement, "Sid") !== label) ?? [];
  if (current === undefined || left.length === current.Statement.length)
    throw wireRefusals.value("Label", label, "can't find label on existing policy.");
  return left.length === 0 ? null : JSON.stringify({ ...current, Statement: left });
}

function oneOrAll(values: readonly string[]): string | readonly string[] {
  const [first, ...rest] = values;
  return first !== undefined && rest.length === 0 ? first : values;
}
