export { Digits } from "./cell.js";
export type { Fault, FaultRule, FaultScript } from "./fault-script.js";
export type { FieldSpec } from "./field.js";
export { type GeneratedOrgOptions, generateOrg } from "./generate.js";
export { recordId } from "./ids.js";
export { type FakeClock, Org } from "./org.js";
export { readOrgFolder } from "./org-folder.js";
export { SalesforceFake, type SalesforceFakeOptions, startSalesforceFake } from "./server.js";
export type { Row, Table, TableSpec } from "./table.js";
