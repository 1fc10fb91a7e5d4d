import { type Action, type Call, unlessEmpty } from "../action.js";
import { queueArn, queueOfArn } from "../address.js";
import { jsonObject } from "../json-object.js";
import { integerBetween, type Parameters, requiredText } from "../parameters.js";
import { wireRefusals } from "../wire-error.js";

const MOST_PER_SECOND = 500;

const startMessageMoveTask: Action = {
  name: "StartMessageMoveTask",
  async run(parameters, call) {
    const source = queueAt("SourceArn", requiredText(parameters, "SourceArn"), call);
    const destinationArn = parameters.text("DestinationArn");
    const destination =
      destinationArn === undefined ? undefined : queueAt("DestinationArn", destinationArn, call);
    const maxPerSecond = ratePerSecond(parameters);
    const taskId = await call.queues.startMessageMoveTask({
      source,
      ...(destination === undefined ? undefined : { destination }),
      ...(maxPerSecond === undefined ? undefined : { maxPerSecond }),
    });
    return { TaskHandle: handleOf(taskId, queueArn(call.place, source)) };
  },
};

function ratePerSecond(parameters: Parameters): number | undefined {
  const rate = parameters.integer("MaxNumberOfMessagesPerSecond");
  if (rate !== undefined && (rate < 1 || rate > MOST_PER_SECOND))
    throw wireRefusals.parameter(
      `Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and ${MOST_PER_SECOND}.`,
    );
  return rate;
}

/** The name of an existing queue. */
function queueAt(parameter: "SourceArn" | "DestinationArn", arn: string, { queues, place }: Call): string {
  const found = queueOfArn(arn, place.account);
  if (found === undefined) throw wireRefusals.arnFormat(parameter);
  if (found.foreign || !queues.hasQueue(found.queue)) throw wireRefusals.resource(parameter);
  return found.queue;
}

const listMessageMoveTasks: Action = {
  name: "ListMessageMoveTasks",
  run(parameters, call) {
    const { queues, place } = call;
    const source = queueAt("SourceArn", requiredText(parameters, "SourceArn"), call);
    const most =
      integerBetween(parameters, "MaxResults", 1, 10, "You must enter a number that's between 1 and 10.") ??
      1;
    const results = queues.listMessageMoveTasks(source, most).map((task) => ({
      TaskHandle: task.status === "RUNNING" ? handleOf(task.taskId, queueArn(place, source)) : undefined,
      Status: task.status,
      SourceArn: queueArn(place, task.source),
      DestinationArn: task.destination === undefined ? undefined : queueArn(place, task.destination),
      MaxNumberOfMessagesPerSecond: task.maxPerSecond,
      ApproximateNumberOfMessagesMoved: task.moved,
      ApproximateNumberOfMessagesToMove: task.toMove,
      FailureReason: task.status === "FAILED" ? task.failureReason : undefined,
      StartedTimestamp: task.startedAt,
    }));
    return { Results: unlessEmpty(results) };
  },
};

const cancelMessageMoveTask: Action = {
  name: "CancelMessageMoveTask",
  async run(parameters, call) {
    const handle = requiredText(parameters, "TaskHandle");
    const task = taskOf(handle);
    const source = task && queueOfArn(task.sourceArn, call.place.account);
    if (task === undefined || source === undefined)
      throw wireRefusals.parameter("Value for parameter TaskHandle is invalid.");
    if (source.foreign || !call.queues.hasQueue(source.queue)) throw wireRefusals.resource("SourceArn");
    return { ApproximateNumberOfMessagesMoved: await call.queues.cancelMessageMoveTask(task.taskId) };
  },
};

/** Base64 of JSON, which clients decode although they should not. */
function handleOf(taskId: string, sourceArn: string): string {
  return Buffer.from(JSON.stringify({ taskId, sourceArn })).toString("base64");
}

function taskOf(handle: string): { readonly taskId: string; readonly sourceArn: string } | undefined {
  const task = jsonObject(Buffer.from(handle, "base64").toString());
  if (task === undefined) return undefined;
  const taskId: unknown = Reflect.get(task, "taskId");
  const sourceArn: unknown = Reflect.get(task, "sourceArn");
  return typeof taskId === "string" && typeof sourceArn === "string" ? { taskId, sourceArn } : undefined;
}

export const moveTasks: readonly Action[] = [
  startMessageMoveTask,
  listMessageMoveTasks,
  cancelMessageMoveTask,
];
