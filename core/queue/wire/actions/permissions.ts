import { type Action, NOTHING } from "../action.js";
import { queueArn } from "../address.js";
import { requiredQueue, requiredText } from "../parameters.js";
import { withoutPermission, withPermission } from "../policy.js";

const addPermission: Action = {
  name: "AddPermission",
  async run(parameters, { queues, place }) {
    const name = requiredQueue(parameters);
    const { Policy: current } = queues.getQueueAttributes(name);
    const permission = {
      label: requiredText(parameters, "Label"),
      accounts: parameters.texts("AWSAccountIds", "AWSAccountId") ?? [],
      actions: parameters.texts("Actions", "ActionName") ?? [],
    };
    await queues.setQueueAttributes(name, {
      Policy: withPermission(current, permission, queueArn(place, name)),
    });
    return NOTHING;
  },
};

const removePermission: Action = {
  name: "RemovePermission",
  async run(parameters, { queues }) {
    const name = requiredQueue(parameters);
    const { Policy: current } = queues.getQueueAttributes(name);
    await queues.setQueueAttributes(name, {
      Policy: withoutPermission(current, requiredText(parameters, "Label")),
    });
    return NOTHING;
  },
};

export const permissions: readonly Action[] = [addPermission, removePermission];
