import type { Message, MessageAttributes } from "../../contracts/index.js";

/**
 * Claim checks as the Amazon SQS Extended Client Library writes and reads them: the body of the message is a pointer
 * to an object in S3, an attribute of type Number carries the size of the real body.
 */
const LONGEST_BODY_BYTES = 1_048_576;
const POINTER_CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer";
const SIZE_ATTRIBUTE = "ExtendedPayloadSize";

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** What goes over the wire as a message's body (UTF-8) and attributes. */
export interface WireContent {
  readonly body: Buffer;
  readonly attributes: MessageAttributes;
}

/** The body is read only where it is short enough. */
export function wireContent(message: Message, addressOf: () => ObjectAddress): WireContent {
  if (message.bytes <= LONGEST_BODY_BYTES) return { body: message.body(), attributes: message.attributes };
  const { bucket, key } = addressOf();
  return {
    body: Buffer.from(JSON.stringify([POINTER_CLASS, { s3BucketName: bucket, s3Key: key }])),
    attributes: {
      ...message.attributes,
      [SIZE_ATTRIBUTE]: { dataType: "Number", value: String(message.bytes) },
    },
  };
}
