import { AuthError, ConfigError, SluiceError } from "../../contracts/index.js";

/** An error as clients see it: `__type` of the JSON protocol, code of the query protocol, HTTP status. */
export interface WireError {
  /** With its namespace; SDKs drop what stands before the `#`. */
  readonly type: string;
  /** What JSON clients find in `x-amzn-query-error` and XML clients in `Code`. */
  readonly queryCode: string;
  readonly status: number;
  /** Whose fault it is: retried by SDKs where it is the receiver's. */
  readonly fault: "Sender" | "Receiver";
  readonly message: string;
}

interface ErrorRow {
  readonly type: string;
  readonly queryCode: string;
  readonly status: number;
}

const MODELLED = "com.amazonaws.sqs#";
/** The most frequent errors are not in the service's model; their types are those of its framework. */
const FRAMEWORK = "com.amazon.coral.service#";

const modelled = (name: string, status = 400, queryCode = name): [string, ErrorRow] => [
  name,
  { type: MODELLED + name, queryCode, status },
];
const prefixed = (name: string, status = 400) => modelled(name, status, `AWS.SimpleQueueService.${name}`);
const framework = (code: string, status: number, type = code): [string, ErrorRow] => [
  code,
  { type: FRAMEWORK + type, queryCode: code, status },
];

/** Every code that an action may answer, by the `code` of our error classes (SQS API reference; AWS common errors). */
export const WIRE_ERRORS: ReadonlyMap<string, ErrorRow> = new Map([
  modelled("QueueDoesNotExist", 400, "AWS.SimpleQueueService.NonExistentQueue"),
  modelled("QueueNameExists", 400, "QueueAlreadyExists"),
  prefixed("QueueDeletedRecently"),
  prefixed("PurgeQueueInProgress", 403),
  prefixed("BatchRequestTooLong"),
  prefixed("InvalidBatchEntryId"),
  prefixed("TooManyEntriesInBatchRequest"),
  prefixed("BatchEntryIdsNotDistinct"),
  prefixed("EmptyBatchRequest"),
  prefixed("MessageNotInflight"),
  prefixed("UnsupportedOperation"),
  modelled("InvalidAttributeName"),
  modelled("InvalidAttributeValue"),
  modelled("InvalidMessageContents"),
  modelled("InvalidIdFormat"),
  modelled("ReceiptHandleIsInvalid", 404),
  modelled("ResourceNotFoundException", 404),
  modelled("OverLimit", 403),
  modelled("RequestThrottled", 403),
  modelled("InvalidSecurity", 403),
  modelled("InvalidAddress", 404),
  modelled("KmsAccessDenied", 400, "KMS.AccessDeniedException"),
  modelled("KmsDisabled", 400, "KMS.DisabledException"),
  modelled("KmsInvalidKeyUsage", 400, "KMS.InvalidKeyUsageException"),
  modelled("KmsInvalidState", 400, "KMS.InvalidStateException"),
  modelled("KmsNotFound", 400, "KMS.NotFoundException"),
  modelled("KmsOptInRequired", 403, "KMS.OptInRequired"),
  modelled("KmsThrottled", 400, "KMS.ThrottlingException"),
  framework("InvalidParameterValue", 400, "InvalidParameterValueException"),
  framework("MissingParameter", 400, "MissingRequiredParameterException"),
  framework("MalformedInput", 400, "SerializationException"),
  framework("MissingAuthenticationToken", 403, "MissingAuthenticationTokenException"),
  framework("InvalidClientTokenId", 403, "UnrecognizedClientException"),
  framework("SignatureDoesNotMatch", 403, "InvalidSignatureException"),
  framework("RequestTimeTooSkewed", 403),
  framework("IncompleteSignature", 400, "IncompleteSignatureException"),
  framework("AccessDenied", 403, "AccessDeniedException"),
  framework("InvalidAction", 400, "UnknownOperationException"),
  framework("MissingAction", 400, "UnknownOperationException"),
  framework("ThrottlingException", 400),
  framework("RequestEntityTooLarge", 413, "RequestEntityTooLargeException"),
]);

const INTERNAL: ErrorRow = { type: `${FRAMEWORK}InternalFailure`, queryCode: "InternalFailure", status: 500 };
const UNAVAILABLE: ErrorRow = {
  type: `${FRAMEWORK}ServiceUnavailableException`,
  queryCode: "ServiceUnavailable",
  status: 503,
};

/**
 * A full disk or another passing trouble of this machine is ServiceUnavailable, which SDKs retry; whatever the table
 * does not know is InternalFailure, and the words of the error stay in our log.
 */
export function wireErrorOf(error: unknown): WireError {
  if (error instanceof SluiceError) {
    const row = WIRE_ERRORS.get(error.code);
    if (row !== undefined) return { ...row, fault: "Sender", message: error.message };
    if (error.kind === "transient" || error.kind === "cancelled")
      return { ...UNAVAILABLE, fault: "Receiver", message: `${error.message} (${error.code})` };
  }
  return {
    ...INTERNAL,
    fault: "Receiver",
    message: "An internal error occurred; the log of the endpoint has it.",
  };
}

/** The code of an entry in a batch's `Failed`: the query protocol's, without the prefix that only whole answers carry. */
export function entryCode(code: string): string {
  return WIRE_ERRORS.get(code)?.queryCode ?? code;
}

/** Refusals of the wire itself, in the service's words. Those that concern a queue's rules are made in core/queue. */
export const wireRefusals = {
  missing: (parameter: string) =>
    new ConfigError("MissingParameter", `The request must contain the parameter ${parameter}.`, {
      fix: `Give ${parameter}.`,
    }),

  value: (parameter: string, value: unknown, reason: string) =>
    new ConfigError(
      "InvalidParameterValue",
      `Value ${String(value)} for parameter ${parameter} is invalid. Reason: ${reason}`,
      { fix: `Correct ${parameter}.` },
    ),

  parameter: (message: string) => new ConfigError("InvalidParameterValue", message),

  malformed: (message: string) =>
    new ConfigError("MalformedInput", message, { fix: "Send parameters of the documented types." }),

  unknownAttribute: (name: string) => new ConfigError("InvalidAttributeName", `Unknown Attribute ${name}.`),

  attributeValue: (name: string, reason?: string) =>
    new ConfigError(
      "InvalidAttributeValue",
      `Invalid value for the parameter ${name}.${reason === undefined ? "" : ` Reason: ${reason}`}`,
    ),

  address: (url: string) =>
    new ConfigError("InvalidAddress", `The address ${url} is not valid for this endpoint.`),

  resource: (parameter: "SourceArn" | "DestinationArn") =>
    new ConfigError(
      "ResourceNotFoundException",
      `The resource that you specified for the ${parameter} parameter doesn't exist.`,
    ),

  arnFormat: (parameter: "SourceArn" | "DestinationArn") =>
    new ConfigError(
      "InvalidParameterValue",
      `You must use this format to specify the ${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    ),

  batchEntryId: () =>
    new ConfigError(
      "InvalidBatchEntryId",
      "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
    ),

  repeatedId: (id: string) => new ConfigError("BatchEntryIdsNotDistinct", `Id ${id} repeated.`),

  tooManyActions: (count: number) =>
    new ConfigError("OverLimit", `${count} Actions were found, maximum allowed is 7.`),

  unknownAction: (action: string) =>
    new ConfigError("InvalidAction", `The action ${action} is not valid for this endpoint.`),

  missingAction: () =>
    new ConfigError(
      "MissingAction",
      "The request must contain the parameter Action or the header X-Amz-Target.",
    ),

  tooLarge: (limit: number) =>
    new ConfigError("RequestEntityTooLarge", `A request can be at most ${limit} bytes long.`),

  signature: (
    code:
      | "MissingAuthenticationToken"
      | "InvalidClientTokenId"
      | "SignatureDoesNotMatch"
      | "IncompleteSignature"
      | "RequestTimeTooSkewed",
    message: string,
  ) => new AuthError(code, message),
} as const;
