import fc from "fast-check";
import { describe, it } from "vitest";
import { durableSubject, memorySubject } from "../store/subjects.js";
import { crowds, everything, fifoOnly } from "./queue-operations.js";
import { type PairSubject, QueuePair } from "./queue-pair.js";

/** A failure prints the seed and the shortest sequence that fast-check found; `fc.assert(..., { seed, path })` repeats it. */
describe("any sequence of operations does what the model of SQS does", () => {
  const check = (sequences: typeof everything, numRuns: number, make: () => Promise<PairSubject>) =>
    fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        const pair = await QueuePair.open(await make());
        try {
          await pair.run(sequence);
        } finally {
          await pair.close();
        }
      }),
      { numRuns },
    );

  describe.each<[string, () => Promise<PairSubject>, share: number]>([
    ["memory", () => memorySubject(), 1],
    ["durable, with reopenings", () => durableSubject(), 0.25],
  ])("%s", (_, make, share) => {
    it("on queues of every kind", () => check(everything, 100 * share, make));
    it("on a FIFO queue and its dead letters", () => check(fifoOnly, 100 * share, make));
    it("with noisy tenants", () => check(crowds, 40 * share, make));
  });
});
