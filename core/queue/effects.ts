/** What follows a transaction once it is durable; thrown away when it fails. */
export class Effects {
  /** Queues in which something may have become available: long polls look again. */
  readonly woken = new Set<string>();
  /** Blobs no message refers to any more. */
  readonly releasedBlobs: string[] = [];
}
