/** Schema of `trigger:`. `sluice run` runs every flow on demand; the daemon fires the other kinds. */
import { validate as validCron } from "node-cron";
import { z } from "zod";
import { duration, text } from "../../contracts/index.js";
import { count, expecting, flowName, WHOLE } from "./words.js";

const cron = text(
  z
    .string("expected a cron expression in quotes")
    .refine(
      validCron,
      'expected a cron expression of five fields (minute hour day month weekday) such as "0 * * * *"',
    ),
);

function validTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const onDemand = z
  .strictObject({ type: z.literal("onDemand").describe("Runs when `sluice run` asks for it.") })
  .describe("Runs when asked.");

const schedule = z
  .strictObject({
    type: z.literal("schedule").describe("Runs by the clock."),
    cron: cron
      .optional()
      .describe(
        "Minute, hour, day, month, weekday; a day and a weekday must both hold; L is the last day, 1#2 the second Monday. Either this or every. When the clocks are set, a time that does not exist is made up for when they jump, one that comes twice counts once; an expression of every hour goes on through the repeated one.",
      ),
    every: duration({ min: "1s" })
      .optional()
      .describe(
        "Time between starts, counted from the daemon's first look at the flow, which starts it at once; restarts do not shift it. Either this or cron.",
      ),
    timezone: text(
      z
        .string("expected a time zone such as Europe/Berlin")
        .refine(validTimezone, "expected a time zone such as Europe/Berlin or UTC"),
    )
      .prefault("UTC")
      .describe("Time zone of cron."),
    overlap: z
      .enum(["skip", "queue"])
      .default("skip")
      .describe(
        "What a start does while the last run is still going, in this or another process: leave it out, or run right after; one waits at most, with missed: all up to 100.",
      ),
    missed: z
      .enum(["latest", "all", "skip"])
      .default("latest")
      .describe(
        "Starts missed while the daemon was down or the machine slept: run once, run each (the newest 100), or none. A run that was cancelled or killed is gone on with when the daemon begins, but for skip.",
      ),
    disableAfter: count("expected a number of failures of at least 1", 1, 1_000_000)
      .default(10)
      .describe(
        "Consecutive failed runs, whoever started them, after which the schedule is switched off; a run that succeeds, such as one of `sluice run`, switches it on again. Parked runs do not count.",
      ),
  })
  .superRefine((trigger, context) => {
    if ((trigger.cron === undefined) !== (trigger.every === undefined)) return;
    const both = trigger.cron !== undefined;
    context.issues.push({
      code: "custom",
      message: both ? 'expected either "cron" or "every", not both' : 'expected "cron" or "every"',
      path: [both ? "every" : "type"],
      input: trigger,
      ...WHOLE,
    });
  })
  .describe("Runs by the clock.");

const event = z
  .looseObject({
    type: z
      .literal("event")
      .describe("Runs when the source calls (webhooks, change events). The daemon does not serve these yet."),
  })
  .describe("Runs when the source calls.");

const after = z
  .strictObject({
    type: z.literal("after").describe("Runs after another flow."),
    flow: flowName().describe(
      "Name of the flow to wait for: each success of a run of the daemon starts this one.",
    ),
  })
  .describe("Runs after another flow succeeded.");

export const trigger = z
  .discriminatedUnion(
    "type",
    [onDemand, schedule, event, after],
    expecting('a trigger such as { type: schedule, cron: "0 * * * *" }'),
  )
  .describe(
    "When the flow runs; default { type: onDemand }. Every flow also runs when `sluice run` asks for it.",
  );
