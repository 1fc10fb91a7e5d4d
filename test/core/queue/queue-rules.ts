/**
 * What SQS may give on a receive, in the plainest words: judged over the messages a queue keeps, in order.
 */
export interface ModelMessage {
  /** Set once the real queue has named it. */
  id: string;
  readonly body: string;
  readonly records: number;
  readonly group: string | undefined;
  sentAt: number;
  visibleAt: number;
  delayed: boolean;
  receiveCount: number;
  firstReceivedAt: number | undefined;
  receivedAt: number;
  /** The real handle of the last receive. */
  handle: string;
  /** Rises whenever a message is received, claimed or has its visibility changed: a receive attempt ends then. */
  touched: number;
  source: string | undefined;
}

/** A receive about to happen. */
export interface Situation {
  readonly now: number;
  /** What the queue keeps, in order. */
  readonly kept: readonly ModelMessage[];
  readonly most: number;
  /** Received as often as the redrive policy allows. */
  isSpent(message: ModelMessage): boolean;
}

export function stateAt(message: ModelMessage, now: number): "visible" | "delayed" | "inFlight" {
  if (message.visibleAt <= now) return "visible";
  return message.delayed ? "delayed" : "inFlight";
}

/** Standard queues: the visible ones, oldest first; what was received too often is moved on the way: returned. */
export function judgeStandard(
  { now, kept, most, isSpent }: Situation,
  given: readonly ModelMessage[],
): ModelMessage[] {
  const expected: ModelMessage[] = [];
  const aside: ModelMessage[] = [];
  for (const message of kept) {
    if (expected.length === most) break;
    if (stateAt(message, now) !== "visible") continue;
    (isSpent(message) ? aside : expected).push(message);
  }
  rule(same(given, expected), `gives ${show(expected)}, oldest first, not ${show(given)}`);
  return aside;
}

/** Standard queues with groups: as many as there are, and none of a noisy tenant while one of a quiet tenant waits. */
export function judgeFair({ now, kept, most }: Situation, given: readonly ModelMessage[]): void {
  const visible = kept.filter((message) => stateAt(message, now) === "visible");
  rule(
    given.every((message) => visible.includes(message)),
    "gives visible messages only",
  );
  rule(given.length === Math.min(most, visible.length), "gives as many as there are");
  const inFlight = kept.filter((message) => stateAt(message, now) === "inFlight");
  // Taking messages changes shares half-way: noisy is who is so before and after, quiet who is so neither time.
  const isNoisy = (message: ModelMessage, flying: ModelMessage[]) => {
    const own = flying.filter((other) => other.group === message.group).length;
    return message.group !== undefined && own >= 30 && own * 10 > flying.length;
  };
  const after = [...inFlight, ...given];
  const noisy = (message: ModelMessage) => isNoisy(message, inFlight) && isNoisy(message, after);
  const quiet = (message: ModelMessage) => !isNoisy(message, inFlight) && !isNoisy(message, after);
  const left = visible.filter((message) => !given.includes(message));
  rule(!(given.some(noisy) && left.some(quiet)), "serves quiet tenants before noisy ones");
  if (visible.every(quiet)) rule(same(given, visible.slice(0, most)), "serves quiet tenants oldest first");
}

/** FIFO queues: of each group only the longest run of visible messages from its head; groups one after the other. */
export function judgeFifo(
  { now, kept, most, isSpent }: Situation,
  given: readonly ModelMessage[],
  moved: readonly ModelMessage[],
): void {
  const groups = [...new Set(kept.map((message) => message.group))];
  const isTaken = (message: ModelMessage) => given.includes(message) || moved.includes(message);
  const runs = groups.map((group) => {
    const members = kept.filter((message) => message.group === group);
    const end = members.findIndex((message) => stateAt(message, now) !== "visible");
    return { group, run: end < 0 ? members : members.slice(0, end) };
  });
  for (const message of [...given, ...moved])
    rule(
      runs.some(({ run }) => run.includes(message)),
      `leaves ${show([message])} alone: its group is locked before it`,
    );
  for (const { group, run } of runs) {
    const taken = run.filter(isTaken);
    rule(same(taken, run.slice(0, taken.length)), `takes ${group} from its head, without gaps`);
  }
  for (const message of given)
    rule(!isSpent(message), `moves ${show([message])}, received too often, instead of giving it`);
  for (const message of moved)
    rule(isSpent(message), `does not move ${show([message])}: it may be received again`);

  const served = [...new Set(given.map((message) => message.group))];
  const inOrder = served.flatMap((group) => given.filter((message) => message.group === group));
  const byRun = served.flatMap((group) =>
    runs.filter((one) => one.group === group).flatMap(({ run }) => run.filter((m) => given.includes(m))),
  );
  rule(same(given, inOrder), "serves one group after the other");
  rule(same(given, byRun), "keeps the order within groups");
  rule(given.length <= most, "gives no more than asked for");
  const isExhausted = (group: string | undefined) =>
    runs.some((one) => one.group === group && one.run.every(isTaken));
  for (const group of given.length < most ? groups : served.slice(0, -1))
    rule(isExhausted(group), `takes all of ${group} it can`);
}

/** The messages of these ids, each once. */
export function find(messages: readonly ModelMessage[], ids: readonly string[]): ModelMessage[] {
  rule(new Set(ids).size === ids.length, `gives each message once, not ${ids}`);
  return ids.map((id) => {
    const message = messages.find((known) => known.id === id);
    if (!message) throw new Error(`SQS has no message ${id} in this queue`);
    return message;
  });
}

function rule(holds: boolean, text: string): void {
  if (!holds) throw new Error(`SQS ${text}`);
}

function same(a: readonly ModelMessage[], b: readonly ModelMessage[]): boolean {
  return a.length === b.length && a.every((message, i) => message === b[i]);
}

function show(messages: readonly ModelMessage[]): string {
  return `[${messages.map(({ group, body }) => `${group ?? ""}:${body}`).join(", ")}]`;
}
