/** Queue of one sink of a flow: `<flow>--<position>-<connection>`; at most 40 + 2 + 3 + 30 characters, SQS allows 80. */
export function queueName(flow: string, index: number, connection: string): string {
  return `${flow}--${index}-${connection}`;
}

/** Where a flow's rejected records rest, whatever refused them. */
export function deadLetterQueue(flow: string): string {
  return `${flow}--dead-letters`;
}

/** The flow a queue of these names belongs to; any other name is taken for a flow's own. */
export function flowOfQueue(queue: string): string {
  return /^(.+)--(?:\d+-.+|dead-letters)$/.exec(queue)?.[1] ?? queue;
}

/** Name of the lease that makes one run of a flow at a time. */
export function leaseName(flow: string): string {
  return `flow/${flow}`;
}

/** Sortable by start: `20261122T073604123Z-1f3a09bc`. */
export function runId(nowMs: number, random: () => number): string {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:.]/g, "");
  const suffix = Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, "0");
  return `${stamp}-${suffix}`;
}

/** Unique for ever and safe in file names: `<flow>-<run>-<sink position>-<number>`. */
export function loadId(flow: string, run: string, sink: number, number: number): string {
  return `${flow}-${run}-${sink}-${String(number).padStart(5, "0")}`;
}
