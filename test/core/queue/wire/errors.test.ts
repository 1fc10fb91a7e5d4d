import { describe, expect, it } from "vitest";
import { RateLimitError, RecordError, TransientError } from "../../../../core/contracts/index.js";
import { WIRE_ERRORS, wireErrorOf } from "../../../../core/queue/wire/wire-error.js";
import { call, refusalOf, type Service, startService } from "./service.js";

/** The errors of the service's model (query-compatible codes and statuses) and the two it leaves out. */
const MODEL: readonly (readonly [type: string, queryCode: string, status: number])[] = [
  ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400],
  ["QueueNameExists", "QueueAlreadyExists", 400],
  ["QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently", 400],
  ["PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403],
  ["BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400],
  ["InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400],
  ["TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400],
  ["BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400],
  ["EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400],
  ["MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400],
  ["UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400],
  ["InvalidAttributeName", "InvalidAttributeName", 400],
  ["InvalidAttributeValue", "InvalidAttributeValue", 400],
  ["InvalidMessageContents", "InvalidMessageContents", 400],
  ["InvalidIdFormat", "InvalidIdFormat", 400],
  ["ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404],
  ["ResourceNotFoundException", "ResourceNotFoundException", 404],
  ["OverLimit", "OverLimit", 403],
  ["RequestThrottled", "RequestThrottled", 403],
  ["InvalidSecurity", "InvalidSecurity", 403],
  ["InvalidAddress", "InvalidAddress", 404],
  ["KmsAccessDenied", "KMS.AccessDeniedException", 400],
  ["KmsDisabled", "KMS.DisabledException", 400],
  ["KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400],
  ["KmsInvalidState", "KMS.InvalidStateException", 400],
  ["KmsNotFound", "KMS.NotFoundException", 400],
  ["KmsThrottled", "KMS.ThrottlingException", 400],
  ["KmsOptInRequired", "KMS.OptInRequired", 403],
];

const FRAMEWORK: readonly (readonly [code: string, type: string, status: number])[] = [
  ["InvalidParameterValue", "InvalidParameterValueException", 400],
  ["MissingParameter", "MissingRequiredParameterException", 400],
  ["MalformedInput", "SerializationException", 400],
  ["MissingAuthenticationToken", "MissingAuthenticationTokenException", 403],
  ["InvalidClientTokenId", "UnrecognizedClientException", 403],
  ["SignatureDoesNotMatch", "InvalidSignatureException", 403],
  ["IncompleteSignature", "IncompleteSignatureException", 400],
  ["AccessDenied", "AccessDeniedException", 403],
  ["InvalidAction", "UnknownOperationException", 400],
  ["ThrottlingException", "ThrottlingException", 400],
];

describe("the table of errors", () => {
  it.each(MODEL)("%s is %s with status %i", (type, queryCode, status) => {
    expect(WIRE_ERRORS.get(type)).toEqual({ type: `com.amazonaws.sqs#${type}`, queryCode, status });
  });

  it.each(FRAMEWORK)("%s is of type %s with status %i", (queryCode, type, status) => {
    expect(WIRE_ERRORS.get(queryCode)).toEqual({
      type: `com.amazon.coral.service#${type}`,
      queryCode,
      status,
    });
  });

  it("blames the sender for what it knows, and the receiver for the rest", () => {
    const words = { status: 403, fault: "Sender", message: "full" };
    expect(wireErrorOf(new RateLimitError("OverLimit", "full"))).toMatchObject(words);
    expect(wireErrorOf(new TransientError("DISK_FULL", "The disk is full."))).toMatchObject({
      status: 503,
      queryCode: "ServiceUnavailable",
      fault: "Receiver",
    });
    for (const error of [
      new RecordError("NEW_CODE", "secret words"),
      new Error("secret words"),
      "secret words",
    ]) {
      const answer = wireErrorOf(error);
      expect(answer).toMatchObject({ status: 500, queryCode: "InternalFailure", fault: "Receiver" });
      expect(answer.message).not.toContain("secret");
    }
  });
});

const SQS = "com.amazonaws.sqs#";
const CORAL = "com.amazon.coral.service#";
const PREFIX = "AWS.SimpleQueueService.";

interface Case {
  readonly name: string;
  readonly action: string;
  readonly input: Record<string, unknown> | ((service: Service) => Promise<Record<string, unknown>>);
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly message: string;
}

const bad = (name: string, action: string, input: Case["input"], message: string): Case => ({
  name,
  action,
  input,
  status: 400,
  type: `${CORAL}InvalidParameterValueException`,
  code: "InvalidParameterValue",
  message,
});
const missing = (action: string, input: Record<string, unknown>, parameter: string): Case => ({
  name: `${action} without ${parameter}`,
  action,
  input,
  status: 400,
  type: `${CORAL}MissingRequiredParameterException`,
  code: "MissingParameter",
  message: `The request must contain the parameter ${parameter}.`,
});
const modelled = (
  name: string,
  action: string,
  input: Case["input"],
  [type, code, status]: readonly [string, string, number],
  message: string,
): Case => ({ name, action, input, status, type: SQS + type, code, message });

const q = { QueueUrl: "q" };
const f = { QueueUrl: "f.fifo" };
const noQueue = ["QueueDoesNotExist", `${PREFIX}NonExistentQueue`, 400] as const;
const entry = (Id: string, more = {}) => ({ Id, MessageBody: "x", ...more });
const entries = (count: number) => Array.from({ length: count }, (_, index) => entry(`e${index}`));
const group = { MessageGroupId: "g", MessageDeduplicationId: "d" };
const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const redrive = (policy: unknown) => ({
  QueueName: "new",
  Attributes: { RedrivePolicy: JSON.stringify(policy) },
});
const redriveWords = (policy: unknown, reason: string) =>
  `Value ${JSON.stringify(policy)} for parameter RedrivePolicy is invalid. Reason: ${reason}`;

const CASES: readonly Case[] = [
  // Queues
  missing("CreateQueue", {}, "QueueName"),
  ...["", "a/b", "a b", "x".repeat(81), "a.b", "q.fifo"].map((name) =>
    bad(
      `the name ${name.slice(0, 9)}`,
      "CreateQueue",
      { QueueName: name },
      "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
  ),
  ...["q", `${"x".repeat(76)}.fifo`, ".fifo"].map((name) =>
    bad(
      `the FIFO name ${name.slice(0, 9)}`,
      "CreateQueue",
      { QueueName: name, Attributes: { FifoQueue: "true" } },
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length",
    ),
  ),
  modelled(
    "an existing name with another value",
    "CreateQueue",
    { QueueName: "q", Attributes: { VisibilityTimeout: "31" } },
    ["QueueNameExists", "QueueAlreadyExists", 400],
    "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
  ),
  modelled(
    "an unknown queue",
    "GetQueueUrl",
    { QueueName: "nope" },
    noQueue,
    "The specified queue does not exist.",
  ),
  modelled(
    "another account's queue",
    "GetQueueUrl",
    { QueueName: "q", QueueOwnerAWSAccountId: "123456789012" },
    noQueue,
    "The specified queue does not exist.",
  ),
  ...["DeleteQueue", "PurgeQueue", "GetQueueAttributes", "ReceiveMessage", "ListQueueTags", "TagQueue"]
    .concat(["UntagQueue", "ListDeadLetterSourceQueues"])
    .map((action) =>
      modelled(
        `${action} of an unknown queue`,
        action,
        { QueueUrl: "nope" },
        noQueue,
        "The specified queue does not exist.",
      ),
    ),
  modelled(
    "an unknown queue before a bad handle",
    "DeleteMessage",
    { QueueUrl: "nope", ReceiptHandle: "garbage" },
    noQueue,
    "The specified queue does not exist.",
  ),
  modelled(
    "an address that names no queue",
    "ReceiveMessage",
    { QueueUrl: "http://host/000000000000/a b" },
    ["InvalidAddress", "InvalidAddress", 404],
    "The address http://host/000000000000/a b is not valid for this endpoint.",
  ),
  ...[0, 1001].map((MaxResults) =>
    bad(
      `MaxResults ${MaxResults}`,
      "ListQueues",
      { MaxResults },
      `Value ${MaxResults} for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided.`,
    ),
  ),
  bad("a bad token", "ListQueues", { NextToken: "?" }, "Invalid or expired next token."),
  missing("SetQueueAttributes", q, "Attributes"),
  missing("TagQueue", { ...q, Tags: {} }, "Tags"),
  bad(
    "more than 50 tags",
    "TagQueue",
    { ...q, Tags: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, ""])) },
    "Too many tags added for queue q.",
  ),
  missing("UntagQueue", q, "TagKeys"),

  // Sending
  missing("SendMessage", { MessageBody: "x" }, "QueueUrl"),
  missing("SendMessage", q, "MessageBody"),
  { ...missing("SendMessage", { ...q, MessageBody: "" }, "MessageBody"), name: "an empty body" },
  bad(
    "a message above MaximumMessageSize",
    "SendMessage",
    { QueueUrl: "small", MessageBody: "x".repeat(1025) },
    "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
  ),
  bad(
    "a message above what any queue takes",
    "SendMessage",
    { ...q, MessageBody: "x".repeat(1_048_577) },
    "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
  ),
  bad(
    "an empty attribute",
    "SendMessage",
    { ...q, MessageBody: "x", MessageAttributes: { X: { DataType: "String", StringValue: "" } } },
    "Message (user) attribute 'X' must contain a non-empty value of type 'String'.",
  ),
  bad(
    "a delay on a FIFO queue",
    "SendMessage",
    { ...f, ...group, MessageBody: "x", DelaySeconds: 1 },
    "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
  ),
  missing("SendMessage", { ...f, MessageBody: "x", MessageDeduplicationId: "d" }, "MessageGroupId"),
  ...["", "a b", "ä", "x".repeat(129)].map((id) =>
    bad(
      `the group ${id.slice(0, 9)}`,
      "SendMessage",
      { ...f, MessageBody: "x", MessageGroupId: id, MessageDeduplicationId: "d" },
      `Value ${id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
    ),
  ),
  bad(
    "a bad deduplication id",
    "SendMessage",
    { ...f, MessageBody: "x", MessageGroupId: "g", MessageDeduplicationId: "" },
    "Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
  ),
  bad(
    "no deduplication id",
    "SendMessage",
    { ...f, MessageBody: "x", MessageGroupId: "g" },
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  ),
  bad(
    "a deduplication id on a standard queue",
    "SendMessage",
    { ...q, MessageBody: "x", MessageDeduplicationId: "d" },
    "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.",
  ),
  // Batches
  ...["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"].flatMap((action) => [
    modelled(
      `${action} of nothing`,
      action,
      { ...q, Entries: [] },
      ["EmptyBatchRequest", `${PREFIX}EmptyBatchRequest`, 400],
      `There should be at least one ${action}RequestEntry in the request.`,
    ),
    modelled(
      `${action} of eleven`,
      action,
      { ...q, Entries: entries(11) },
      ["TooManyEntriesInBatchRequest", `${PREFIX}TooManyEntriesInBatchRequest`, 400],
      "Maximum number of entries per request are 10. You have sent 11.",
    ),
    modelled(
      `${action} with a bad id`,
      action,
      { ...q, Entries: [entry("a b")] },
      ["InvalidBatchEntryId", `${PREFIX}InvalidBatchEntryId`, 400],
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
    ),
    modelled(
      `${action} with a repeated id`,
      action,
      { ...q, Entries: ["a", "b", "c", "b", "a"].map((id) => entry(id)) },
      ["BatchEntryIdsNotDistinct", `${PREFIX}BatchEntryIdsNotDistinct`, 400],
      "Id b repeated.",
    ),
  ]),
  modelled(
    "a batch that is too long",
    "SendMessageBatch",
    {
      ...q,
      Entries: [
        entry("a", { MessageBody: "x".repeat(524_289) }),
        entry("b", { MessageBody: "x".repeat(524_288) }),
      ],
    },
    ["BatchRequestTooLong", `${PREFIX}BatchRequestTooLong`, 400],
    "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
  ),
  modelled(
    "a batch of one that is too long",
    "SendMessageBatch",
    { ...q, Entries: [entry("a", { MessageBody: "x".repeat(1_048_577) })] },
    ["BatchRequestTooLong", `${PREFIX}BatchRequestTooLong`, 400],
    "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
  ),
  bad(
    "a FIFO batch with an entry without group",
    "SendMessageBatch",
    { ...f, Entries: [entry("a", group), entry("b", { MessageDeduplicationId: "d" })] },
    "The request must contain the parameter MessageGroupId.",
  ),
  bad(
    "a FIFO batch with an entry without deduplication id",
    "SendMessageBatch",
    { ...f, Entries: [entry("a", group), entry("b", { MessageGroupId: "g" })] },
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
  ),
  // Receiving
  ...[0, 11].map((MaxNumberOfMessages) =>
    bad(
      `MaxNumberOfMessages ${MaxNumberOfMessages}`,
      "ReceiveMessage",
      { ...q, MaxNumberOfMessages },
      `Value ${MaxNumberOfMessages} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.`,
    ),
  ),
  ...[-1, 21].map((WaitTimeSeconds) =>
    bad(
      `WaitTimeSeconds ${WaitTimeSeconds}`,
      "ReceiveMessage",
      { ...q, WaitTimeSeconds },
      `Value ${WaitTimeSeconds} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.`,
    ),
  ),
  // Handles
  ...[
    { action: "DeleteMessage", more: {} },
    { action: "ChangeMessageVisibility", more: { VisibilityTimeout: 1 } },
  ].map(({ action, more }) =>
    modelled(
      `${action} with a garbage handle`,
      action,
      { ...q, ...more, ReceiptHandle: "garbage" },
      ["ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404],
      'The input receipt handle "garbage" is not a valid receipt handle.',
    ),
  ),
  missing("DeleteMessage", q, "ReceiptHandle"),
  missing("ChangeMessageVisibility", { ...q, ReceiptHandle: "h" }, "VisibilityTimeout"),
  // Dead letters
  bad(
    "a redrive policy that is no JSON",
    "CreateQueue",
    { QueueName: "new", Attributes: { RedrivePolicy: "{" } },
    "Value { for parameter RedrivePolicy is invalid. Reason: Redrive policy is not a valid JSON map.",
  ),
  ...[{ maxReceiveCount: 1 }, { deadLetterTargetArn: arn("q") }].map((policy) => ({
    ...bad(
      `a redrive policy of ${Object.keys(policy).join()} alone`,
      "CreateQueue",
      redrive(policy),
      redriveWords(
        policy,
        `Redrive policy does not contain mandatory attribute: ${"maxReceiveCount" in policy ? "deadLetterTargetArn" : "maxReceiveCount"}.`,
      ),
    ),
  })),
  ...[0, 1001, "x"].map((maxReceiveCount) =>
    bad(
      `maxReceiveCount ${maxReceiveCount}`,
      "CreateQueue",
      redrive({ deadLetterTargetArn: arn("q"), maxReceiveCount }),
      redriveWords(
        { deadLetterTargetArn: arn("q"), maxReceiveCount },
        `Invalid value for maxReceiveCount: ${maxReceiveCount}, valid values are from 1 to 1000 both inclusive.`,
      ),
    ),
  ),
  bad(
    "a target that is no ARN",
    "CreateQueue",
    redrive({ deadLetterTargetArn: "q", maxReceiveCount: 1 }),
    redriveWords(
      { deadLetterTargetArn: "q", maxReceiveCount: 1 },
      "Invalid value for deadLetterTargetArn: q.",
    ),
  ),
  // Move tasks
  missing("StartMessageMoveTask", {}, "SourceArn"),
  modelled(
    "a move task of an unknown queue",
    "StartMessageMoveTask",
    { SourceArn: arn("nope") },
    ["ResourceNotFoundException", "ResourceNotFoundException", 404],
    "The resource that you specified for the SourceArn parameter doesn't exist.",
  ),
  modelled(
    "a move task to an unknown queue",
    "StartMessageMoveTask",
    { SourceArn: arn("q"), DestinationArn: arn("nope") },
    ["ResourceNotFoundException", "ResourceNotFoundException", 404],
    "The resource that you specified for the DestinationArn parameter doesn't exist.",
  ),
  bad(
    "a move task of a queue that is no dead-letter queue",
    "StartMessageMoveTask",
    { SourceArn: arn("q") },
    "Source queue must be configured as a Dead Letter Queue.",
  ),
  bad(
    "a move task of what is no ARN",
    "StartMessageMoveTask",
    { SourceArn: "q" },
    "You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
  ),
  modelled(
    "the move tasks of an unknown queue",
    "ListMessageMoveTasks",
    { SourceArn: arn("nope") },
    ["ResourceNotFoundException", "ResourceNotFoundException", 404],
    "The resource that you specified for the SourceArn parameter doesn't exist.",
  ),
  bad(
    "a task handle that is none",
    "CancelMessageMoveTask",
    { TaskHandle: "garbage" },
    "Value for parameter TaskHandle is invalid.",
  ),
  modelled(
    "an unknown task",
    "CancelMessageMoveTask",
    {
      TaskHandle: Buffer.from(
        JSON.stringify({ taskId: "00000000-0000-4000-8000-000000000000", sourceArn: arn("q") }),
      ).toString("base64"),
    },
    ["ResourceNotFoundException", "ResourceNotFoundException", 404],
    "Task does not exist.",
  ),
  // Permissions
  modelled(
    "a permission of eight actions",
    "AddPermission",
    {
      ...q,
      Label: "l",
      AWSAccountIds: ["111111111111"],
      Actions: Array.from({ length: 8 }, () => "SendMessage"),
    },
    ["OverLimit", "OverLimit", 403],
    "8 Actions were found, maximum allowed is 7.",
  ),
  bad(
    "a permission for what only owners do",
    "AddPermission",
    { ...q, Label: "l", AWSAccountIds: ["111111111111"], Actions: ["RemovePermission"] },
    "Value SQS:RemovePermission for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.",
  ),
  bad(
    "a permission for nobody",
    "AddPermission",
    { ...q, Label: "l", AWSAccountIds: [], Actions: ["SendMessage"] },
    "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.",
  ),
  missing("AddPermission", { ...q, Label: "l", AWSAccountIds: ["111111111111"] }, "Actions"),
  missing("AddPermission", { ...q, Actions: ["SendMessage"], AWSAccountIds: ["111111111111"] }, "Label"),
  bad(
    "the removal of an unknown permission",
    "RemovePermission",
    { ...q, Label: "l" },
    "Value l for parameter Label is invalid. Reason: can't find label on existing policy.",
  ),
];

describe("refusals by exact code, status and words", () => {
  it.each(CASES)("$name", async ({ action, input, status, type, code, message }) => {
    const service = await startService();
    const { queues } = service.environment;
    await call(service.url, "CreateQueue", { QueueName: "q" });
    await call(service.url, "CreateQueue", { QueueName: "f.fifo", Attributes: { FifoQueue: "true" } });
    await call(service.url, "CreateQueue", {
      QueueName: "small",
      Attributes: { MaximumMessageSize: "1024" },
    });
    const answer = await call(
      service.url,
      action,
      typeof input === "function" ? await input(service) : input,
    );
    expect(refusalOf(answer)).toEqual({ status, type, queryError: `${code};Sender`, message });
    expect(answer.headers["content-type"]).toBe("application/x-amz-json-1.0");
    // A refusal changes nothing.
    expect(queues.listQueues()).toEqual(["f.fifo", "q", "small"]);
    expect(queues.depth("q").ApproximateNumberOfMessages).toBe(0);
    expect(queues.depth("f.fifo").ApproximateNumberOfMessages).toBe(0);
    expect(service.errors).toEqual([]);
  });
});
