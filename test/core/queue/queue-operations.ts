import fc from "fast-check";

/** A standard queue, one with tenants, a FIFO queue, and the dead-letter queues of the first and the last. */
export const QUEUES = ["q", "fair", "f.fifo", "dead", "dead.fifo"] as const;

export type QueueName = (typeof QUEUES)[number];

export interface EntryPlan {
  readonly size: number;
  readonly records: number;
  /** Standard queues only. */
  readonly delayMs?: number;
  /** Which of a few groups (3 on a standard queue: none) and of a few deduplication ids (FIFO only). */
  readonly group: number;
  readonly repeat: number;
}

/** `pick` chooses among what is there when the operation runs, oldest and youngest alike. */
export type Operation =
  | { do: "send"; queue: QueueName; entries: EntryPlan[]; how: "send" | "sendEach" | "inTx" }
  | { do: "receive"; queue: QueueName; most: number; timeoutMs?: number }
  | { do: "attempt"; queue: "f.fifo" | "dead.fifo"; most: number; timeoutMs: number; attempt: number }
  | { do: "delete" | "deleteInTx"; picks: number[] }
  | { do: "deleteById"; queue: QueueName; picks: number[] }
  | { do: "change"; pick: number; timeoutMs: number }
  | { do: "claim"; queue: QueueName; picks: number[]; timeoutMs: number }
  | {
      do: "attributes";
      queue: "q" | "f.fifo";
      delayMs: number;
      retentionMs: number;
      timeoutMs: number;
      maxReceiveCount: number;
    }
  | { do: "purge"; queue: QueueName }
  | { do: "redrive"; queue: "dead" | "dead.fifo"; home: boolean }
  | { do: "undone"; queue: QueueName; pick: number }
  | { do: "reopen" }
  | { do: "advance"; ms: number };

const pick = fc.nat(1_000);
const picks = fc.array(pick, { minLength: 1, maxLength: 4 });
const timeoutMs = fc.constantFrom(0, 0, 1, 1_000, 5_000, 30_000, 43_200_000);
const most = fc.integer({ min: 1, max: 10 });
const act = <T extends string>(name: T) => fc.constant(name);

const entry: fc.Arbitrary<EntryPlan> = fc.record(
  {
    // Now and then one that is not kept with the others.
    size: fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: 1, max: 40 }) },
      { weight: 1, arbitrary: fc.constant(5_000) },
    ),
    records: fc.nat(9),
    delayMs: fc.constantFrom(0, 1, 7_000),
    group: fc.nat(3),
    repeat: fc.nat(30),
  },
  { requiredKeys: ["size", "records", "group", "repeat"] },
);

const kindsOn = (queue: fc.Arbitrary<QueueName>): [weight: number, fc.Arbitrary<Operation>][] => [
  [
    6,
    fc.record({
      do: act("send"),
      queue,
      how: fc.constantFrom("send", "send", "sendEach", "inTx"),
      entries: fc.array(entry, { minLength: 1, maxLength: 5 }),
    }),
  ],
  [8, fc.record({ do: act("receive"), queue, most, timeoutMs }, { requiredKeys: ["do", "queue", "most"] })],
  [
    4,
    fc.record({
      do: act("attempt"),
      queue: fc.constantFrom("f.fifo", "f.fifo", "dead.fifo"),
      most,
      timeoutMs: fc.constantFrom(1, 5_000, 60_000, 400_000),
      attempt: fc.constantFrom(0, 0, 0, 1),
    }),
  ],
  [3, fc.record({ do: fc.constantFrom("delete", "deleteInTx"), picks })],
  [1, fc.record({ do: act("deleteById"), queue, picks })],
  [3, fc.record({ do: act("change"), pick, timeoutMs })],
  [2, fc.record({ do: act("claim"), queue, picks, timeoutMs })],
  [
    2,
    fc.record({
      do: act("attributes"),
      queue: fc.constantFrom("q", "f.fifo"),
      delayMs: fc.constantFrom(0, 0, 3_000, 10_000),
      retentionMs: fc.constantFrom(60_000, 200_000, 400_000, 1_000_000),
      timeoutMs: fc.constantFrom(0, 2_000, 30_000),
      maxReceiveCount: fc.constantFrom(0, 1, 1, 2, 3),
    }),
  ],
  [1, fc.record({ do: act("purge"), queue })],
  [1, fc.record({ do: act("redrive"), queue: fc.constantFrom("dead", "dead.fifo"), home: fc.boolean() })],
  [1, fc.record({ do: act("undone"), queue, pick })],
  [1, fc.record({ do: act("reopen") })],
  [
    5,
    fc.record({
      do: act("advance"),
      ms: fc.constantFrom(1, 1, 999, 1_000, 1_000, 2_000, 5_000, 5_000, 7_000, 30_000, 60_000, 300_000),
    }),
  ],
];

const sequencesOn = (...queues: QueueName[]): fc.Arbitrary<Operation[]> =>
  fc.array(
    fc.oneof(...kindsOn(fc.constantFrom(...queues)).map(([weight, arbitrary]) => ({ weight, arbitrary }))),
    { minLength: 1, maxLength: 80, size: "max" },
  );

export const everything = sequencesOn(
  "q",
  "q",
  "q",
  "f.fifo",
  "f.fifo",
  "f.fifo",
  "fair",
  "dead",
  "dead.fifo",
);

/** Mostly one FIFO queue, so that its groups fill. */
export const fifoOnly = sequencesOn("f.fifo", "f.fifo", "f.fifo", "f.fifo", "dead.fifo");

/** Many messages of few tenants, in and out: what makes tenants noisy. */
export const crowds: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: act("send"),
        queue: act("fair"),
        how: act("send"),
        entries: fc.array(
          fc.record({
            size: fc.constant(1),
            records: fc.constant(1),
            group: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
            repeat: fc.constant(0),
          }),
          { minLength: 5, maxLength: 10 },
        ),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: act("receive"),
        queue: act("fair"),
        most: fc.integer({ min: 5, max: 10 }),
        timeoutMs: fc.constantFrom(20_000, 60_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: act("delete"), picks }) },
    { weight: 1, arbitrary: fc.record({ do: act("change"), pick, timeoutMs: fc.constantFrom(0, 30_000) }) },
    { weight: 1, arbitrary: fc.record({ do: act("reopen") }) },
    { weight: 2, arbitrary: fc.record({ do: act("advance"), ms: fc.constantFrom(1, 1_000, 20_000) }) },
  ),
  { minLength: 1, maxLength: 60, size: "max" },
);
