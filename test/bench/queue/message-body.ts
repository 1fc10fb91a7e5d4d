export const BODY_BYTES = 1_024;
export const BATCH = 10;

/** One record as a flow would queue it: JSON text of exactly 1 KiB, so that the wire has quotes to escape. */
export function messageBody(number: number): string {
  const record = {
    Id: String(number).padStart(18, "0"),
    Name: `Account ${number % 1_000}`,
    Email: `person.${number % 10_000}@example.com`,
    StageName: "Closed Won",
    Amount: (number * 37) % 100_000,
    CloseDate: "2026-11-22",
    SystemModstamp: "2026-11-22T07:36:04.000Z",
    Description: "",
  };
  const missing = BODY_BYTES - JSON.stringify(record).length;
  return JSON.stringify({ ...record, Description: "a long description, ".repeat(60).slice(0, missing) });
}

/** FIFO: the message groups that messages go to in turn. */
export const GROUPS = 1_000;
