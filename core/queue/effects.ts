/** What follows a transaction once it is durable; thrown away when it fails. */
export class Effects {
  /** Queues in which something may have become available: long polls look again. One may come more than once. */
  readonly woken: string[] = [];
  /** Blobs no message refers to any more. */
  readonly releasedBlobs: string[] = [];

  wake(queue: string): void {
    if (this.woken.at(-1) !== queue) this.woken.push(queue);
  }
}
