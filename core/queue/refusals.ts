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

  queueName: (queue: string) =>
    new ConfigError(
      "InvalidParameterValue",
      "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
      { place: `queue ${JSON.stringify(queue)}`, fix: "Choose another queue name." },
    ),

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

  tooLong: (queue: string, limit: number) =>
    new RecordError(
      "InvalidParameterValue",
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
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
