import { setMaxListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BucketSpec, RequestBudget } from "../../../core/contracts/index.js";
import { RateLimitError } from "../../../core/contracts/index.js";
import { rateLimitHeaders } from "../../../core/http/index.js";
import { BudgetWorld } from "./budget-world.js";

/*
 * Several processes with callers of their own send, pause, die and come back at random, on one ledger. The other side counts
 * what it sees, in a sliding window, together with what other applications send.
 */

type Step =
  | { readonly kind: "send"; readonly process: number; readonly count: number; readonly answerMs: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "die"; readonly process: number }
  | { readonly kind: "close"; readonly process: number }
  | { readonly kind: "others"; readonly count: number };

const PROCESSES = 3;
const process = fc.nat(PROCESSES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      process,
      count: fc.integer({ min: 1, max: 40 }),
      answerMs: fc.integer({ min: 0, max: 5_000 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("die" as const), process }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), process }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("others" as const), count: fc.integer({ min: 1, max: 50 }) }),
  },
);

const WINDOW = 60_000;

async function play(steps: readonly Step[], limit: number, reserve: number, told: boolean): Promise<number> {
  const world = new BudgetWorld();
  const { clock, sent } = world;
  const bucket: BucketSpec = {
    name: "calls",
    title: "calls a minute",
    kind: "window",
    limit,
    windowMs: WINDOW,
    ...(told ? { learn: rateLimitHeaders } : {}),
  };
  const others: number[] = [];
  const inWindow = (times: readonly number[]) => times.filter((at) => at > clock.now() - WINDOW).length;
  let pids = 0;
  const make = () => {
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    return { budget: world.process([bucket], reserve), abort, pid: ++pids };
  };
  const living = Array.from({ length: PROCESSES }, make);
  const work: Promise<void>[] = [];
  const send = async (budget: RequestBudget, signal: AbortSignal, answerMs: number) => {
    const ticket = await budget.take(["calls"], world.options({ signal }));
    // A process that died sends nothing more.
    if (signal.aborted) return;
    sent.push(clock.now());
    const remaining = Math.max(0, limit - inWindow(sent) - inWindow(others));
    await clock.sleep(answerMs, signal);
    ticket.answered({ "ratelimit-limit": `${limit}`, "ratelimit-remaining": `${remaining}` });
  };
  const replace = async (index: number, closes: boolean) => {
    const old = living[index];
    living[index] = make();
    old?.abort.abort();
    if (closes) await old?.budget.close();
    // Some die and are seen to be gone, others are not.
    else if (old !== undefined && old.pid % 2 === 0) world.dead.add(old.pid);
  };
  for (const move of steps) {
    if (move.kind === "pass") await clock.advance(move.ms);
    else if (move.kind === "others") others.push(...Array<number>(move.count).fill(clock.now()));
    else if (move.kind !== "send") await replace(move.process, move.kind === "close");
    else {
      const { budget, abort } = living[move.process] ?? make();
      for (let count = 0; count < move.count; count++) {
        work.push(
          send(budget, abort.signal, move.answerMs).catch((error: unknown) => {
            if (!abort.signal.aborted && !(error instanceof RateLimitError)) throw error;
          }),
        );
      }
      await clock.advance(0);
    }
  }
  await clock.advance(10 * WINDOW);
  await Promise.all(living.map(async ({ abort }) => abort.abort()));
  await clock.advance(1);
  await Promise.all(work);
  await world.close();
  return world.busiest(WINDOW);
}

describe("random requests of several processes", () => {
  it("never exceed the limit less the reserve in any window", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 120 }),
        fc.constantFrom(0, 0.2, 0.5),
        fc.boolean(),
        async (steps, limit, reserve, told) => {
          const most = await play(steps, limit, reserve, told);
          expect(most).toBeLessThanOrEqual(Math.max(1, limit - Math.ceil(limit * reserve)));
        },
      ),
      {
        numRuns: 150,
        // A process that has a request under way must not take what it is told for all that is used.
        examples: [
          [
            [
              { kind: "send", process: 1, count: 1, answerMs: 0 },
              { kind: "die", process: 1 },
              { kind: "send", process: 0, count: 1, answerMs: 0 },
              { kind: "send", process: 0, count: 2, answerMs: 0 },
            ],
            3,
            0,
            true,
          ],
          // Of two words about the same moment the one that leaves less holds.
          [
            [
              { kind: "send", process: 1, count: 1, answerMs: 0 },
              { kind: "send", process: 0, count: 1, answerMs: 1 },
              { kind: "die", process: 1 },
              { kind: "send", process: 0, count: 2, answerMs: 0 },
            ],
            4,
            0.2,
            true,
          ],
          // What a process did in the millisecond of its death came before or behind the request that told.
          [
            [
              { kind: "send", process: 0, count: 1, answerMs: 0 },
              { kind: "send", process: 1, count: 1, answerMs: 0 },
              { kind: "die", process: 1 },
              { kind: "send", process: 0, count: 1, answerMs: 0 },
            ],
            2,
            0,
            true,
          ],
        ],
      },
    );
  });
});
