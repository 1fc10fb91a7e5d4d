import type { Environment, PeekedMessage } from "../contracts/index.js";
import { deadLetterQueue } from "./names.js";

/** One rejected record, as the tools show it. */
export interface DeadLetter {
  readonly messageId: string;
  readonly flow: string;
  readonly run: string;
  readonly stage: string;
  /** Connection of the sink that refused it. */
  readonly sink: string | undefined;
  readonly rule: string;
  readonly reason: string;
  /** Epoch ms of the rejection. */
  readonly rejectedAt: number;
  readonly message: PeekedMessage;
}

/** Which dead letters a command means; every given part must hold. */
export interface DeadLetterFilter {
  readonly messageIds?: readonly string[];
  /** Part of the rule or of the reason, any letter case. */
  readonly reason?: string;
  /** Epoch ms. */
  readonly since?: number;
}

const PEEK = 100;

/** Dead letters of a flow, oldest first. */
export function* deadLettersOf(
  environment: Environment,
  flow: string,
  filter: DeadLetterFilter = {},
): Generator<DeadLetter> {
  const queue = deadLetterQueue(flow);
  const { queues } = environment;
  if (!queues.hasQueue(queue)) return;
  const wanted = filter.messageIds === undefined ? undefined : new Set(filter.messageIds);
  const reason = filter.reason?.toLowerCase();
  let after: string | undefined;
  for (;;) {
    const page = queues.peek(queue, { limit: PEEK, ...(after === undefined ? {} : { after }) });
    for (const message of page) {
      const letter = letterOf(flow, message);
      if (wanted !== undefined && !wanted.has(letter.messageId)) continue;
      if (filter.since !== undefined && letter.rejectedAt < filter.since) continue;
      if (reason !== undefined && !`${letter.rule} ${letter.reason}`.toLowerCase().includes(reason)) continue;
      yield letter;
    }
    after = page.at(-1)?.messageId;
    if (page.length < PEEK) return;
  }
}

function letterOf(flow: string, message: PeekedMessage): DeadLetter {
  const { attributes } = message;
  return {
    messageId: message.messageId,
    flow,
    run: attributes.run ?? "",
    stage: attributes.stage ?? "",
    sink: attributes.sink,
    rule: attributes.rule ?? "",
    reason: attributes.reason ?? "",
    rejectedAt: message.sentAt,
    message,
  };
}

/** Removes dead letters for good. Returns how many were there. */
export async function dropDeadLetters(
  environment: Environment,
  flow: string,
  filter: DeadLetterFilter,
): Promise<number> {
  const ids = [...deadLettersOf(environment, flow, filter)].map(({ messageId }) => messageId);
  if (ids.length === 0) return 0;
  return environment.transaction(({ queues }) => queues.deleteById(deadLetterQueue(flow), ids));
}
