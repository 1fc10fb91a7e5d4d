import type { LatencySummary } from "./latencies.js";

/** One measurement as a line of the table. */
export interface Row {
  readonly what: string;
  /** Messages sent, received and deleted a second. */
  readonly rate: number;
  readonly goal?: number;
  readonly cpuS: number;
  readonly wallS: number;
  /** CPU seconds of the load generators, where they are other processes. */
  readonly clientCpuS?: number;
  readonly anonMiB?: number;
  readonly send: LatencySummary;
  readonly receive: LatencySummary;
  readonly delete: LatencySummary;
  /** Of the bare loop. */
  readonly share?: number;
}

const WIDTHS = { what: 34, rate: 10, goal: 9, cpu: 15, anon: 9, latency: 14 };

export function heading(): string {
  return [
    "".padEnd(WIDTHS.what),
    "messages/s".padStart(WIDTHS.rate),
    "goal".padStart(WIDTHS.goal),
    "CPU own+client".padStart(WIDTHS.cpu),
    "RssAnon".padStart(WIDTHS.anon),
    ...["send", "receive", "delete"].map((action) => `${action} p50/99`.padStart(WIDTHS.latency)),
  ].join("  ");
}

export function line(row: Row): string {
  const client = row.clientCpuS === undefined ? "" : `+${row.clientCpuS.toFixed(1)}`;
  const cpu = `${row.cpuS.toFixed(1)}${client} CPU s`;
  const latency = ({ p50, p99 }: LatencySummary) =>
    `${p50.toFixed(1)}/${p99.toFixed(1)} ms`.padStart(WIDTHS.latency);
  return [
    row.what.padEnd(WIDTHS.what),
    thousands(row.rate).padStart(WIDTHS.rate),
    (row.goal === undefined ? "" : thousands(row.goal)).padStart(WIDTHS.goal),
    cpu.padStart(WIDTHS.cpu),
    (row.anonMiB === undefined ? "" : `${Math.round(row.anonMiB)} MiB`).padStart(WIDTHS.anon),
    latency(row.send),
    latency(row.receive),
    latency(row.delete),
    ...(row.share === undefined ? [] : [`${row.share.toFixed(2)} of the bare loop`]),
  ].join("  ");
}

export function verdict(reached: boolean, text: string): string {
  return `${reached ? "reached" : "missed "}  ${text}`;
}

export function thousands(number: number): string {
  return Math.round(number).toLocaleString("en");
}
