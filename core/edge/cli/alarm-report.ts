import type { AlarmMetric } from "../../contracts/index.js";
import type { Alarm, AlarmReport, IdleThreshold } from "../../run/alarms.js";
import type { Output } from "./output.js";
import { agoText, bytesText, countText, durationText, timeText } from "./quantity.js";
import { table } from "./table.js";

/** An alarm as `status --json` prints it: values and thresholds are counts, bytes, or milliseconds for `oldest`. */
export function alarmDocument({ id: _, ...alarm }: Alarm) {
  return alarm;
}

const NAMES: Readonly<Record<AlarmMetric, string>> = {
  messages: "messages",
  records: "records",
  bytes: "bytes",
  oldest: "oldest message",
  deadLetters: "dead letters",
};

/** What the alarms say, those that fire first; empty where there are none. */
export function alarmsText({ alarms, idle }: AlarmReport, now: number, output: Output): string {
  const parts: string[] = [];
  if (alarms.length > 0) {
    const firing = alarms.filter(({ state }) => state === "firing");
    const rest = alarms.filter(({ state }) => state === "ok");
    parts.push(
      table(
        [...firing, ...rest],
        [
          { title: "alarm", value: ({ state }) => state },
          { title: "queue", value: ({ queue }) => queue },
          { title: "watched", value: ({ metric }) => NAMES[metric] },
          { title: "value", value: ({ metric, value }) => quantityText(metric, value), align: "right" },
          {
            title: "threshold",
            value: ({ metric, threshold }) => quantityText(metric, threshold),
            align: "right",
          },
          { title: "since (UTC)", value: (alarm) => sinceText(alarm, now) },
        ],
        output.title,
      ),
    );
  }
  if (idle.length > 0) parts.push(idle.map(idleText).join("\n"));
  return parts.join("\n\n");
}

function quantityText(metric: AlarmMetric, value: number): string {
  if (metric === "oldest") return durationText(value);
  return metric === "bytes" ? bytesText(value) : countText(value);
}

function sinceText({ since }: Alarm, now: number): string | null {
  return since === null ? null : `${timeText(since)}, ${agoText(Date.parse(since), now)}`;
}

function idleText({ pattern, place, metric }: IdleThreshold): string {
  const what = metric === "deadLetters" ? "dead-letter queue" : "queue";
  return `${place} alarm on ${NAMES[metric]}: "${pattern}" matches no ${what}.`;
}
