export type { ObjectInfo } from "./bucket.js";
export { type Fault, type FaultAction, Faults, OPERATIONS, type Operation } from "./fault.js";
export { type RequestRecord, type S3Fake, type S3FakeOptions, startS3Fake } from "./server.js";
