import type { SalesforceFake } from "../fakes/salesforce/index.js";
import { type Landed, versionKey } from "./landed.js";

/** The object that is read while it changes. */
export const CONTACT = "Contact";

/** Some rows change, some appear; all with stamps behind "now", as rows committed late have them. */
export function changeContacts(org: SalesforceFake["org"], round: number, random: () => number): void {
  const at = Date.now() - 4_000;
  const ids = [...org.table(CONTACT).rows()].map(({ id }) => id);
  const changed = ids.filter(() => random() < 0.3);
  org.touch(CONTACT, changed, { LastName: `Changed in round ${round}` }, at);
  for (let i = 0; i < ids.length / 10; i++) {
    org.upsert(CONTACT, { LastName: `New ${round}-${i}`, Email: `new${i}@example.com` }, at + (i % 3) * 1000);
  }
}

/** Append: the current version of every row once, older versions at most once. Upsert: the current versions, nothing else. */
export function compareContacts(
  rows: readonly { readonly id: string; readonly stamp: number }[],
  landed: Landed,
  onlyCurrent: boolean,
): { readonly lost: number; readonly extra: number } {
  let lost = 0;
  let extra = 0;
  for (const row of rows) if (!landed.has(versionKey(row.id, row.stamp))) lost++;
  for (const times of landed.values()) if (times > 1) extra += times - 1;
  if (onlyCurrent) extra += Math.max(0, landed.size - rows.length);
  return { lost, extra };
}
