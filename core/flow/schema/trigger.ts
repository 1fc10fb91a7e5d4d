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
    cron: cron.optional().describe("Minute, hour, day, month, weekday. Either this or every."),
    every: duration({ min: "1s" }).optional().describe("Time between starts. Either this or cron."),
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
      .describe("What a start does while the last run is still going: leave it out, or run right after."),
    missed: z
      .enum(["latest", "all", "skip"])
      .default("latest")
      .describe("Starts missed while the daemon was down: run once, run each, or none."),
    disableAfter: count("expected a number of failures of at least 1", 1, 1_000_000)
      .default(10)
      .describe("Consecutive failed runs after which the schedule is switched off."),
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
  .looseObject({ type: z.literal("event").describe("Runs when the source calls (webhooks, change events).") })
  .describe("Runs when the source calls.");

const after = z
  .strictObject({
    type: z.literal("after").describe("Runs after another flow."),
    flow: flowName().describe("Name of the flow to wait for."),
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
