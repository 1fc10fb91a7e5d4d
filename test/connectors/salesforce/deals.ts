import { afterEach } from "vitest";
import type { Page, ReadRequest } from "../../../core/contracts/index.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { json } from "../../core/http/scripted-server.js";
import {
  collect,
  connectTo,
  field,
  requestFor,
  type ScriptedOrg,
  SYSTEM_FIELDS,
  startScriptedOrg,
} from "./org.js";

/** Closes what a test has opened, last first. */
export const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const objects = {
  Deal__c: [
    ...SYSTEM_FIELDS,
    field("Name", "string"),
    field("Amount", "currency", { precision: 18, scale: 2 }),
    field("OwnerId", "reference", { referenceTo: ["User"], relationshipName: "Owner" }),
  ],
  User: [
    field("Id", "id"),
    field("Name", "string"),
    field("ManagerId", "reference", { referenceTo: ["User"], relationshipName: "Manager" }),
  ],
  Static: [field("Id", "id"), field("Name", "string")],
};
/** Now, of these tests. */
export const NOON = Date.UTC(2026, 9, 1, 12);
export const FIVE_PAST = "2026-10-01T12:05:00.000+0000";

/** A scripted org with deals and users, and a connection to it. */
export async function orgOf(query: ScriptedOrg["query"], now = NOON) {
  const org = await startScriptedOrg({ objects, query });
  const clock = new PatientClock(now);
  const connected = connectTo(org.server.url, { clock });
  closers.push(
    () => org.server.close(),
    () => connected.source.close(),
  );
  const read = async (extra: Partial<ReadRequest> = {}, stream = "Deal__c") =>
    collect(connected.source.read(await requestFor(connected.source, stream, extra)));
  return { ...org, ...connected, clock, read };
}

export const id = (n: number) => `a01${String(n).padStart(12, "0")}AAA`;
export const at = (text: string) => `2026-09-30T${text}.000+0000`;
export const row = (n: number, stamp: string, more: object = {}) => ({
  attributes: { type: "Deal__c", url: `/services/data/v67.0/sobjects/Deal__c/${id(n)}` },
  Id: id(n),
  SystemModstamp: stamp,
  ...more,
});
export const page = (records: readonly object[], next?: string) =>
  json({
    totalSize: 10,
    done: next === undefined,
    ...(next === undefined ? {} : { nextRecordsUrl: `/services/data/v67.0/query/${next}` }),
    records,
  });
export const lastCursor = (pages: readonly Page[]) => pages.at(-1)?.cursor;
