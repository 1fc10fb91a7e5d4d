/** Counts of one lane: messages by state as it is written, not yet by what time has made of them since. */
export interface Totals {
  ready: number;
  inFlight: number;
  delayed: number;
  bytes: number;
  records: number;
  /** Time part of the newest place given; places never go backwards. */
  lastOrder: number;
  /** No hidden message becomes visible before this; Infinity: none is hidden. May be too early, never too late. */
  nextDue: number;
  /** No message was sent before this; Infinity: there is none. May be too early, never too late. */
  oldest: number;
  /** Packs with a message group id. */
  grouped: number;
  /** FIFO: the last turn given. */
  turn: number;
}

const FIELDS = [
  "ready",
  "inFlight",
  "delayed",
  "bytes",
  "records",
  "lastOrder",
  "nextDue",
  "oldest",
  "grouped",
  "turn",
] as const satisfies readonly (keyof Totals)[];

const FIELD_BYTES = 8;

export function emptyTotals(): Totals {
  return {
    ready: 0,
    inFlight: 0,
    delayed: 0,
    bytes: 0,
    records: 0,
    lastOrder: 0,
    nextDue: Number.POSITIVE_INFINITY,
    oldest: Number.POSITIVE_INFINITY,
    grouped: 0,
    turn: 0,
  };
}

/** One double a field: every operation reads and writes them, and JSON would cost three times as much. */
export function encodeTotals(totals: Totals): Buffer {
  const bytes = Buffer.allocUnsafe(FIELDS.length * FIELD_BYTES);
  for (let index = 0; index < FIELDS.length; index++)
    bytes.writeDoubleBE(totals[FIELDS[index]!], index * FIELD_BYTES);
  return bytes;
}

export function decodeTotals(bytes: Buffer): Totals {
  const totals = emptyTotals();
  for (let index = 0; index < FIELDS.length; index++)
    totals[FIELDS[index]!] = bytes.readDoubleBE(index * FIELD_BYTES);
  return totals;
}
