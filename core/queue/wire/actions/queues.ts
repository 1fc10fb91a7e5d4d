import { ConfigError, type QueueAttributes, type Queues } from "../../../contracts/index.js";
import { checkQueueName } from "../../queue-attributes.js";
import { refusals } from "../../refusals.js";
import { checkTags } from "../../tags.js";
import { type Action, type Call, NOTHING, objectUnlessEmpty, unlessEmpty } from "../action.js";
import { queueUrl } from "../address.js";
import { page } from "../paging.js";
import {
  integerBetween,
  type Parameters,
  QUEUE_ATTRIBUTE_MAP,
  requiredQueue,
  requiredText,
  TAG_MAP,
} from "../parameters.js";
import { readQueueAttributes, SERVICE_DEFAULTS, writeQueueAttributes } from "../queue-attributes.js";
import { wireRefusals } from "../wire-error.js";

const MOST_RESULTS = 1000;

const createQueue: Action = {
  name: "CreateQueue",
  async run(parameters, call) {
    const { queues, place, cooldown } = call;
    const name = requiredText(parameters, "QueueName");
    const given = parameters.textMap("Attributes", QUEUE_ATTRIBUTE_MAP) ?? new Map<string, string>();
    const fifo = given.get("FifoQueue")?.toLowerCase() === "true";
    checkQueueName(name, fifo);
    const attributes = present(readQueueAttributes(given, fifo, place));
    const tags = tagsOf(parameters.textMap("tags", TAG_MAP) ?? parameters.textMap("Tags", TAG_MAP));
    // Before the queue is there: it is not to stay without its tags.
    if (tags !== undefined) checkTags(name, tags, tags);
    const existed = queues.hasQueue(name);
    await create(queues, name, attributes, existed, cooldown);
    if (tags !== undefined && !existed) await queues.tagQueue(name, tags);
    return { QueueUrl: queueUrl(place, name) };
  },
};

/** A queue that exists is compared with what was sent alone; a new one gets the service's defaults beside. */
async function create(
  queues: Queues,
  name: string,
  attributes: Partial<QueueAttributes>,
  existed: boolean,
  cooldown: boolean,
): Promise<void> {
  if (existed) return queues.createQueue(name, attributes, { cooldown });
  try {
    await queues.createQueue(name, { ...SERVICE_DEFAULTS, ...attributes }, { cooldown });
  } catch (error) {
    if (!(error instanceof ConfigError && error.code === "QueueNameExists")) throw error;
    // Another request made it in the meantime.
    await queues.createQueue(name, attributes, { cooldown });
  }
}

/** An attribute sent empty is one not sent. */
function present(changes: ReturnType<typeof readQueueAttributes>): Partial<QueueAttributes> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== null));
}

const getQueueUrl: Action = {
  name: "GetQueueUrl",
  run(parameters, { queues, place }) {
    const name = requiredText(parameters, "QueueName");
    const owner = parameters.text("QueueOwnerAWSAccountId") ?? place.account;
    if (owner !== place.account || !queues.hasQueue(name)) throw refusals.queueDoesNotExist(name);
    return { QueueUrl: queueUrl(place, name) };
  },
};

const listQueues: Action = {
  name: "ListQueues",
  run(parameters, { queues, place }) {
    const { names, next } = pageOf(queues.listQueues(parameters.text("QueueNamePrefix")), parameters);
    return { QueueUrls: unlessEmpty(names.map((name) => queueUrl(place, name))), NextToken: next };
  },
};

/** At most 1000; a token only where the client asked for pages. */
function pageOf(names: readonly string[], parameters: Parameters) {
  const most = integerBetween(parameters, "MaxResults", 1, MOST_RESULTS);
  const { items, next } = page(names, most ?? MOST_RESULTS, parameters.text("NextToken"));
  return { names: items, next: most === undefined ? undefined : next };
}

const deleteQueue: Action = {
  name: "DeleteQueue",
  async run(parameters, { queues }) {
    await queues.deleteQueue(requiredQueue(parameters));
    return NOTHING;
  },
};

const purgeQueue: Action = {
  name: "PurgeQueue",
  async run(parameters, { queues, cooldown }) {
    await queues.purgeQueue(requiredQueue(parameters), { cooldown });
    return NOTHING;
  },
};

const getQueueAttributes: Action = {
  name: "GetQueueAttributes",
  run(parameters, { queues, place }) {
    const name = requiredQueue(parameters);
    if (!queues.hasQueue(name)) throw refusals.queueDoesNotExist(name);
    const asked = parameters.texts("AttributeNames", "AttributeName") ?? [];
    const shown = () => ({
      name,
      info: queues.queueInfo(name),
      attributes: queues.getQueueAttributes(name),
      depth: queues.depth(name),
    });
    return { Attributes: objectUnlessEmpty(writeQueueAttributes(asked, shown, place)) };
  },
};

const setQueueAttributes: Action = {
  name: "SetQueueAttributes",
  async run(parameters, { queues, place }) {
    const name = requiredQueue(parameters);
    const given = parameters.textMap("Attributes", QUEUE_ATTRIBUTE_MAP);
    if (given === undefined) throw wireRefusals.missing("Attributes");
    const current = queues.getQueueAttributes(name);
    const changes = readQueueAttributes(given, queues.queueInfo(name).fifo, place);
    const key = changes.KmsMasterKeyId === undefined ? current.KmsMasterKeyId : changes.KmsMasterKeyId;
    if (changes.SqsManagedSseEnabled === true && typeof key === "string") throw refusals.encryption(name);
    await queues.setQueueAttributes(name, changes);
    return NOTHING;
  },
};

const listDeadLetterSourceQueues: Action = {
  name: "ListDeadLetterSourceQueues",
  run(parameters, { queues, place }) {
    const name = requiredQueue(parameters);
    const { names, next } = pageOf(queues.listDeadLetterSourceQueues(name), parameters);
    // The one answer of the service whose member begins in lower case.
    return { queueUrls: unlessEmpty(names.map((source) => queueUrl(place, source))), NextToken: next };
  },
};

const tagQueue: Action = {
  name: "TagQueue",
  async run(parameters, call) {
    const name = existingQueue(parameters, call);
    const tags = tagsOf(parameters.textMap("Tags", TAG_MAP));
    if (tags === undefined) throw wireRefusals.missing("Tags");
    await call.queues.tagQueue(name, tags);
    return NOTHING;
  },
};

function tagsOf(
  given: ReadonlyMap<string, string> | undefined,
): Readonly<Record<string, string>> | undefined {
  return given === undefined || given.size === 0 ? undefined : Object.fromEntries(given);
}

const untagQueue: Action = {
  name: "UntagQueue",
  async run(parameters, call) {
    const name = existingQueue(parameters, call);
    const keys = parameters.texts("TagKeys", "TagKey");
    if (keys === undefined || keys.length === 0) throw wireRefusals.missing("TagKeys");
    await call.queues.untagQueue(name, keys);
    return NOTHING;
  },
};

/** An unknown queue comes before a missing parameter. */
function existingQueue(parameters: Parameters, { queues }: Call): string {
  const name = requiredQueue(parameters);
  if (!queues.hasQueue(name)) throw refusals.queueDoesNotExist(name);
  return name;
}

const listQueueTags: Action = {
  name: "ListQueueTags",
  run(parameters, { queues }) {
    const tags = queues.listQueueTags(requiredQueue(parameters));
    return { Tags: objectUnlessEmpty(Object.entries(tags)) };
  },
};

export const queueActions: readonly Action[] = [
  createQueue,
  getQueueUrl,
  listQueues,
  deleteQueue,
  purgeQueue,
  getQueueAttributes,
  setQueueAttributes,
  listDeadLetterSourceQueues,
  tagQueue,
  untagQueue,
  listQueueTags,
];
