/** `buffer.alarms` of sluice.yaml. */
import { z } from "zod";
import { ALARM_METRICS, duration, size, text } from "../../contracts/index.js";
import { count, expecting, WHOLE } from "./words.js";

const PATTERN = "expected a pattern of queue names, such as *, orders--* or *--dead-letters";
const many = (what: string) => count(`expected a number of ${what} of at least 1`, 1, 1e15);

export const alarm = z
  .strictObject(
    {
      queue: text(z.string(PATTERN).regex(/^[A-Za-z0-9_.*?-]{1,80}$/, PATTERN)).describe(
        "Which queues are watched, by name: `*` stands for any characters, `?` for one. `sluice queue list` names the queues.",
      ),
      messages: many("messages").optional().describe("Messages held, in whatever state."),
      records: many("records").optional().describe("Records in these messages."),
      bytes: size({ min: "1B" }).optional().describe("Bytes of their bodies."),
      oldest: duration({ min: "1s" }).optional().describe("Age of the oldest message."),
      deadLetters: many("dead letters")
        .optional()
        .describe("Messages of the dead-letter queues among the matching queues."),
    },
    expecting("an alarm such as { queue: '*', oldest: 1h }"),
  )
  .superRefine((entry, context) => {
    if (ALARM_METRICS.some((metric) => entry[metric] !== undefined)) return;
    context.issues.push({
      code: "custom",
      message: `expected a threshold beside "queue": one or more of ${ALARM_METRICS.join(", ")}`,
      path: ["queue"],
      input: entry,
      ...WHOLE,
    });
  })
  .describe(
    "Thresholds on queues, at least one; an alarm fires at its threshold and above. Dead-letter queues are watched by deadLetters; by the other keys only where the pattern does not end in a wildcard (`*--dead-letters`), for what rests there is old on purpose.",
  );
