export type { BlobShelf } from "./blobs.js";
export { Effects } from "./effects.js";
export { StoredQueues } from "./stored-queues.js";
export { TableCache } from "./table-cache.js";
export type { KeyRange, Table, Tables } from "./tables.js";
