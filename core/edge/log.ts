import { pino } from "pino";
import type { Clock, Log } from "../contracts/index.js";
import type { Redactor } from "./redactor.js";

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** `json`: one object a line, for machines; `text`: `12:00:01 warn  message key=value`, for people. */
  readonly format: "json" | "text";
  readonly clock: Clock;
  readonly redactor: Redactor;
  /** Takes whole lines, line end included. Standard error in a process: standard output is for results. */
  readonly write: (line: string) => void;
}

export interface ProcessLog extends Log {
  setLevel(level: LogLevel): void;
}

/** The log of a process: pino, with every message and field redacted before pino sees it. Never throws. */
export function createLog(options: LogOptions): ProcessLog {
  const { clock, redactor } = options;
  const write = options.format === "json" ? options.write : (line: string) => options.write(textLine(line));
  const logger = pino(
    {
      level: options.level,
      // No pid and hostname: one process of one person; the daemon's collector adds its own.
      base: null,
      // pino would ask the wall clock itself.
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: "message",
      // Otherwise a field named `err` would be serialised by pino, requests and headers included.
      serializers: {},
    },
    { write },
  );
  const entry = (level: LogLevel) => (message: string, fields?: Record<string, unknown>) => {
    if (!logger.isLevelEnabled(level)) return;
    const clean = fields === undefined ? {} : redactor.value(fields);
    logger[level](typeof clean === "object" && clean !== null ? clean : {}, redactor.text(message));
  };
  return {
    debug: entry("debug"),
    info: entry("info"),
    warn: entry("warn"),
    error: entry("error"),
    setLevel: (level) => {
      logger.level = level;
    },
  };
}

/** A line of pino as a person reads it. Time of day is UTC, as everywhere in Sluice. */
function textLine(line: string): string {
  const parsed: unknown = JSON.parse(line);
  if (typeof parsed !== "object" || parsed === null) return line;
  const { level, time, message, ...fields } = parsed as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  return `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${String(message)}${pairs.join("")}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}
