/**
 * A Zendesk account on a loopback port: OAuth with rotation, incremental exports by cursor and by time, lists by cursor and
 * by offset, the Help Center, limits per minute, faults by script.
 *
 * It answers what the API reference documents and what recorded traffic shows of it; node-zendesk reads it unchanged
 * (test/fakes/zendesk.test.ts). Read only: no writing back, no webhooks, no search. `main.js` runs it as a process;
 * `/__fake/` (control.ts) steers it from another one.
 */
export { Account, type FakeClock, isoSeconds, type Json, KINDS, type Row } from "./account.js";
export { readAccountFolder } from "./account-folder.js";
export type { Fault, FaultRule, FaultScript } from "./fault-script.js";
export { type GeneratedAccountOptions, generateAccount } from "./generate.js";
export { startZendeskFake, ZendeskFake, type ZendeskFakeOptions } from "./server.js";
