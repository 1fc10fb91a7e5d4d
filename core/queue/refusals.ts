import { ConfigError, RateLimitError, RecordError } from "../contracts/index.js";

/**
 * SQS's refusals, by its names and in its words (API reference, Common Errors, and answers of the service itself).
 * A bad queue, attribute or parameter is a ConfigError; content that the queue cannot take is a RecordError, since
 * only the owner of the data can act. `code` is the SQS error name in both.
 */
export const refusals = {
  queueDoesNotExist: (queue: string) =>
    new ConfigError("QueueDoesNotExist", "The specified queue does not exist.", {
      place: `queue ${queue}`,
      fix: "Check the name against `sluice queue list`.",
    }),

  queueNameExists: (queue: string, attribute: string) =>
    new ConfigError(
      "QueueNameExists",
      `A queue already exists with the same name and a different value for attribute ${attribute}`,
      { place: `queue ${queue}`, fix: "Change the attribute of the existing queue instead of creating it." },
    ),

  queueName: (queue: string, fifo: boolean) =>
    new ConfigError(
      "InvalidParameterValue",
      fifo
        ? "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length"
        : "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
      { place: `queue ${JSON.stringify(queue)}`, fix: "Choose another queue name." },
    ),

  deletedRecently: (queue: string) =>
    new ConfigError(
      "QueueDeletedRecently",
      "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
      { place: `queue ${queue}`, fix: "Wait, or choose another name." },
    ),

  purgeInProgress: (queue: string) =>
    new ConfigError(
      "PurgeQueueInProgress",
      `Only one PurgeQueue operation on ${queue} is allowed every 60 seconds.`,
      { place: `queue ${queue}`, fix: "Wait a minute." },
    ),

  fifoOnly: (queue: string, attribute: string) =>
    new ConfigError(
      "InvalidAttributeName",
      `You can specify the ${attribute} only when FifoQueue is set to true.`,
      { place: `queue ${queue}`, fix: "Remove the attribute, or make it a FIFO queue." },
    ),

  queueType: (queue: string) =>
    new ConfigError(
      "InvalidAttributeValue",
      "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
      { place: `queue ${queue}`, fix: "Create another queue." },
    ),

  encryption: (queue: string) =>
    new ConfigError(
      "InvalidAttributeName",
      "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
      { place: `queue ${queue}`, fix: "Give one of the two." },
    ),

  tags: (queue: string, reason: string) =>
    new ConfigError("InvalidParameterValue", reason, { place: `queue ${queue}`, fix: "Correct the tags." }),

  notForThisType: (queue: string, parameter: string, value: string) =>
    new ConfigError(
      "InvalidParameterValue",
      `Value ${value} for parameter ${parameter} is invalid. Reason: The request includes a parameter that is not valid for this queue type.`,
      { place: `queue ${queue}`, fix: `Leave ${parameter} out, or use a FIFO queue.` },
    ),

  groupToken: (queue: string, parameter: string, value: string) =>
    new ConfigError(
      "InvalidParameterValue",
      `Value ${value} for parameter ${parameter} is invalid. Reason: ${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
      { place: `queue ${queue}`, fix: `Correct ${parameter}.` },
    ),

  /** SQS names another code in a batch. */
  groupMissing: (queue: string, request: "one" | "batch") =>
    new ConfigError(
      request === "one" ? "MissingParameter" : "InvalidParameterValue",
      "The request must contain the parameter MessageGroupId.",
      { place: `queue ${queue}`, fix: "Give every message of a FIFO queue a group." },
    ),

  deduplicationMissing: (queue: string) =>
    new ConfigError(
      "InvalidParameterValue",
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      { place: `queue ${queue}`, fix: "Do one of the two." },
    ),

  emptySystemAttribute: (queue: string, name: string) =>
    new RecordError(
      "InvalidParameterValue",
      `Message (system) attribute '${name}' must contain a non-empty value of type 'String'.`,
      { place: `queue ${queue}`, fix: "Give it a value or leave it out." },
    ),

  resourceNotFound: (message: string) =>
    new ConfigError("ResourceNotFoundException", message, {
      fix: "Check the name against `sluice queue list`.",
    }),

  moveTask: (message: string) =>
    new ConfigError("InvalidParameterValue", message, { fix: "See `sluice queue list`." }),

  unknownAttribute: (queue: string, attribute: string) =>
    new ConfigError("InvalidAttributeName", `Unknown Attribute ${attribute}.`, {
      place: `queue ${queue}`,
      fix: "Remove the attribute or correct its name.",
    }),

  attributeValue: (queue: string, attribute: string, expected: string) =>
    new ConfigError("InvalidAttributeValue", `Invalid value for the parameter ${attribute}.`, {
      place: `queue ${queue}`,
      fix: `Give ${attribute} ${expected}.`,
    }),

  redrivePolicy: (queue: string, reason: string) =>
    new ConfigError(
      "InvalidParameterValue",
      `Value for parameter RedrivePolicy is invalid. Reason: ${reason}`,
      { place: `queue ${queue}`, fix: "Name an existing queue and a maxReceiveCount from 1 to 1000." },
    ),

  parameter: (queue: string, parameter: string, value: unknown, reason: string) =>
    new ConfigError(
      "InvalidParameterValue",
      `Value ${String(value)} for parameter ${parameter} is invalid. Reason: ${reason}`,
      { place: `queue ${queue}`, fix: `Correct ${parameter}.` },
    ),

  emptyBatch: (queue: string, action: string) =>
    new ConfigError(
      "EmptyBatchRequest",
      `There should be at least one ${action}RequestEntry in the request.`,
      {
        place: `queue ${queue}`,
        fix: "Send at least one entry.",
      },
    ),

  tooManyEntries: (queue: string, entries: number) =>
    new ConfigError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are 10. You have sent ${entries}.`,
      { place: `queue ${queue}`, fix: "Split the batch." },
    ),

  batchTooLong: (queue: string, bytes: number, limit: number) =>
    new ConfigError(
      "BatchRequestTooLong",
      `Batch requests cannot be longer than ${limit} bytes. You have sent ${bytes} bytes.`,
      { place: `queue ${queue}`, fix: "Split the batch." },
    ),

  overLimit: (queue: string, limit: number) =>
    new RateLimitError("OverLimit", `The queue has ${limit} messages in flight, the most it may have.`, {
      place: `queue ${queue}`,
      fix: "Delete or release messages that were received.",
    }),

  emptyBody: (queue: string) =>
    new RecordError("MissingParameter", "The request must contain the parameter MessageBody.", {
      place: `queue ${queue}`,
      fix: "Send at least one character.",
    }),

  contents: (queue: string, found: string) =>
    new RecordError(
      "InvalidMessageContents",
      `The message contains characters outside the allowed set: ${found}.`,
      {
        place: `queue ${queue}`,
        fix: "Escape or remove them; a message is UTF-8 text without control characters.",
      },
    ),

  /** SQS words it differently in a batch. */
  tooLong: (queue: string, limit: number, request: "one" | "batch") =>
    new RecordError(
      "InvalidParameterValue",
      `One or more parameters ${request === "one" ? "are invalid" : "cannot be validated"}. Reason: Message must be shorter than ${limit} bytes.`,
      { place: `queue ${queue}`, fix: "Send it through `stage` (claim check) or raise MaximumMessageSize." },
    ),

  messageAttribute: (queue: string, reason: string) =>
    new RecordError("InvalidParameterValue", reason, {
      place: `queue ${queue}`,
      fix: "Correct the message attribute.",
    }),

  bodyTooLarge: (bytes: number, limit: number) =>
    new RecordError(
      "BODY_TOO_LARGE",
      `A body of ${bytes} bytes is more than the ${limit} that Sluice can hold.`,
      {
        fix: "Split the record at its source.",
      },
    ),
} as const;

/** What a batch answers for one entry (its `code` as in the query protocol). */
export const entryRefusals = {
  invalidHandle: (handle: string) => ({
    code: "ReceiptHandleIsInvalid",
    message: `The input receipt handle "${handle}" is not a valid receipt handle.`,
  }),
  handleExpired: (handle: string) => ({
    code: "InvalidParameterValue",
    message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
  }),
  notThere: (handle: string) => ({
    code: "InvalidParameterValue",
    message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
  }),
  visibilityRange: (seconds: number) => ({
    code: "InvalidParameterValue",
    message: `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.`,
  }),
  visibilityTotal: (seconds: number) => ({
    code: "InvalidParameterValue",
    message: `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]`,
  }),
} as const;
