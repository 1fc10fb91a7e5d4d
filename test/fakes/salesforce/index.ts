/**
 * A Salesforce org on a loopback port: OAuth, describe, SOQL queries with locators, query jobs of Bulk API 2.0,
 * getUpdated and getDeleted, transactions, limits, faults by script.
 *
 * It answers what the REST API documents and what public issues show of it; jsforce reads it unchanged
 * (test/fakes/salesforce.test.ts). It knows single-object SOQL with parent paths: no sub-queries, no GROUP BY, no
 * writing. `main.js` runs it as a process; `/__fake/` (control.ts) steers it from another one.
 */
export type { BulkOptions } from "./bulk/jobs.js";
export { Digits } from "./cell.js";
export type { Fault, FaultRule, FaultScript } from "./fault-script.js";
export type { FieldSpec } from "./field.js";
export { type GeneratedOrgOptions, generateOrg } from "./generate.js";
export { recordId } from "./ids.js";
export { type FakeClock, Org } from "./org.js";
export { readOrgFolder } from "./org-folder.js";
export { SalesforceFake, type SalesforceFakeOptions, startSalesforceFake } from "./server.js";
export type { Row, Table, TableSpec } from "./table.js";
export type { Transaction } from "./transaction.js";
