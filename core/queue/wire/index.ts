export { type SqsEndpoint, type SqsEndpointOptions, startSqsEndpoint } from "./endpoint.js";
export { BUCKET, type MessageBodies } from "./payload-bucket.js";
export type { Payload } from "./payload-files.js";
export type { AccessKey } from "./signature.js";
