import type { FieldSpec } from "./field.js";
import { addressOf, type TableSpec } from "./table.js";

/** The objects of a generated org, with the kinds of field that real orgs have. */

const OWNER: FieldSpec = {
  name: "OwnerId",
  type: "reference",
  referenceTo: ["User"],
  relationshipName: "Owner",
};
const DELETED: FieldSpec = { name: "IsDeleted", type: "boolean" };
const AUDIT: readonly FieldSpec[] = [
  { name: "CreatedDate", type: "datetime" },
  { name: "CreatedById", type: "reference", referenceTo: ["User"], relationshipName: "CreatedBy" },
  { name: "LastModifiedDate", type: "datetime" },
  { name: "LastModifiedById", type: "reference", referenceTo: ["User"], relationshipName: "LastModifiedBy" },
  { name: "SystemModstamp", type: "datetime" },
];

function address(prefix: string): FieldSpec[] {
  const compoundFieldName = `${prefix}Address`;
  const part = (name: string, length: number): FieldSpec => ({
    name: prefix + name,
    type: name === "Street" ? "textarea" : "string",
    length,
    compoundFieldName,
  });
  return [
    part("Street", 255),
    part("City", 40),
    part("State", 80),
    part("PostalCode", 20),
    part("Country", 80),
    { name: `${prefix}Latitude`, type: "double", precision: 18, scale: 15, compoundFieldName },
    { name: `${prefix}Longitude`, type: "double", precision: 18, scale: 15, compoundFieldName },
    { name: compoundFieldName, type: "address", formula: addressOf(prefix) },
  ];
}

export const INDUSTRIES = [
  "Agriculture",
  "Banking",
  "Chemicals",
  "Energy",
  "Healthcare",
  "Media",
  "Shipping",
];
export const SEGMENTS = ["Enterprise", "Mid-Market", "Public Sector", "R&D", "Übersee"];
export const STAGES = [
  "Prospecting",
  "Qualification",
  "Proposal",
  "Negotiation",
  "Closed Won",
  "Closed Lost",
];
export const LEAD_SOURCES = ["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];

const USER: TableSpec = {
  name: "User",
  keyPrefix: "005",
  fields: [
    { name: "Id", type: "id" },
    { name: "Username", type: "string", length: 80 },
    { name: "LastName", type: "string", length: 80, compoundFieldName: "Name" },
    { name: "FirstName", type: "string", length: 40, compoundFieldName: "Name" },
    { name: "Name", type: "string", length: 121, nameField: true },
    { name: "Email", type: "email", length: 128 },
    { name: "Title", type: "string", length: 80 },
    { name: "Alias", type: "string", length: 8 },
    { name: "IsActive", type: "boolean" },
    { name: "TimeZoneSidKey", type: "picklist" },
    { name: "ManagerId", type: "reference", referenceTo: ["User"], relationshipName: "Manager" },
    ...AUDIT,
  ],
};

const ACCOUNT: TableSpec = {
  name: "Account",
  keyPrefix: "001",
  fields: [
    { name: "Id", type: "id" },
    DELETED,
    { name: "MasterRecordId", type: "reference", referenceTo: ["Account"], relationshipName: "MasterRecord" },
    { name: "Name", type: "string", length: 255, nameField: true },
    { name: "Type", type: "picklist", picklist: ["Prospect", "Customer", "Partner"] },
    { name: "ParentId", type: "reference", referenceTo: ["Account"], relationshipName: "Parent" },
    ...address("Billing"),
    { name: "Phone", type: "phone" },
    { name: "Website", type: "url" },
    { name: "Industry", type: "picklist", picklist: INDUSTRIES },
    { name: "AnnualRevenue", type: "currency", precision: 18, scale: 2 },
    { name: "NumberOfEmployees", type: "int", precision: 8 },
    { name: "Description", type: "textarea", length: 32_000 },
    { name: "Segments__c", type: "multipicklist", picklist: SEGMENTS },
    { name: "Founded__c", type: "date" },
    { name: "Health_Score__c", type: "double", precision: 5, scale: 2 },
    { name: "Tax_Number__c", type: "encryptedstring", length: 40 },
    OWNER,
    ...AUDIT,
  ],
};

const CONTACT: TableSpec = {
  name: "Contact",
  keyPrefix: "003",
  fields: [
    { name: "Id", type: "id" },
    DELETED,
    { name: "AccountId", type: "reference", referenceTo: ["Account"], relationshipName: "Account" },
    { name: "LastName", type: "string", length: 80, nillable: false, compoundFieldName: "Name" },
    { name: "FirstName", type: "string", length: 40, compoundFieldName: "Name" },
    {
      name: "Salutation",
      type: "picklist",
      picklist: ["Mr.", "Ms.", "Dr.", "Prof."],
      compoundFieldName: "Name",
    },
    { name: "Name", type: "string", length: 121, nameField: true },
    ...address("Mailing"),
    { name: "Phone", type: "phone" },
    { name: "Email", type: "email" },
    { name: "Title", type: "string", length: 128 },
    { name: "ReportsToId", type: "reference", referenceTo: ["Contact"], relationshipName: "ReportsTo" },
    { name: "LeadSource", type: "picklist", picklist: LEAD_SOURCES },
    { name: "Birthdate", type: "date" },
    { name: "HasOptedOutOfEmail", type: "boolean" },
    { name: "Preferred_Call_Time__c", type: "time" },
    { name: "Languages__c", type: "multipicklist", picklist: ["de", "en", "fr", "ja", "ar"] },
    { name: "Description", type: "textarea", length: 32_000 },
    OWNER,
    ...AUDIT,
  ],
};

const OPPORTUNITY: TableSpec = {
  name: "Opportunity",
  keyPrefix: "006",
  fields: [
    { name: "Id", type: "id" },
    DELETED,
    { name: "AccountId", type: "reference", referenceTo: ["Account"], relationshipName: "Account" },
    { name: "Name", type: "string", length: 120, nameField: true, nillable: false },
    { name: "Description", type: "textarea", length: 32_000 },
    { name: "StageName", type: "picklist", picklist: STAGES, nillable: false },
    { name: "Amount", type: "currency", precision: 18, scale: 2 },
    { name: "Probability", type: "percent", precision: 3, scale: 0 },
    { name: "TotalOpportunityQuantity", type: "double", precision: 18, scale: 2 },
    { name: "CloseDate", type: "date", nillable: false },
    { name: "Type", type: "picklist", picklist: ["New Business", "Renewal", "Upgrade"] },
    { name: "NextStep", type: "string", length: 255 },
    { name: "LeadSource", type: "picklist", picklist: LEAD_SOURCES },
    { name: "IsClosed", type: "boolean" },
    { name: "IsWon", type: "boolean" },
    { name: "External_Ref__c", type: "string", length: 40, externalId: true },
    { name: "Discount__c", type: "percent", precision: 5, scale: 2 },
    {
      // A formula: changes with its parts, and its own change never moves SystemModstamp.
      name: "Weighted_Amount__c",
      type: "currency",
      precision: 18,
      scale: 2,
      formula: (read) => {
        const [amount, probability] = [read("Amount"), read("Probability")];
        if (typeof amount !== "number" || typeof probability !== "number") return null;
        return Math.round(amount * probability) / 100;
      },
    },
    OWNER,
    ...AUDIT,
  ],
};

const INVOICE: TableSpec = {
  name: "Invoice__c",
  label: "Invoice",
  keyPrefix: "a00",
  fields: [
    { name: "Id", type: "id" },
    DELETED,
    { name: "Name", type: "string", length: 80, nameField: true, autoNumber: true },
    { name: "Account__c", type: "reference", referenceTo: ["Account"], relationshipName: "Account__r" },
    {
      name: "Opportunity__c",
      type: "reference",
      referenceTo: ["Opportunity"],
      relationshipName: "Opportunity__r",
    },
    // Goes beyond 2^53: sent as bare digits, which a JavaScript number cannot hold.
    { name: "Ledger_Number__c", type: "double", precision: 18, scale: 0 },
    { name: "Total__c", type: "currency", precision: 18, scale: 2 },
    { name: "Due__c", type: "date" },
    { name: "Paid__c", type: "boolean" },
    { name: "Lines__c", type: "int", precision: 9 },
    { name: "Payload__c", type: "textarea", length: 131_072 },
    { name: "Notes__c", type: "string", length: 255 },
    OWNER,
    ...AUDIT,
  ],
};

export const GENERATED_OBJECTS: readonly TableSpec[] = [USER, ACCOUNT, CONTACT, OPPORTUNITY, INVOICE];

/** Listed and described, but they refuse queries, as dozens of real objects do. */
export const UNQUERYABLE_OBJECTS: readonly TableSpec[] = [
  {
    name: "AccountChangeEvent",
    keyPrefix: "0K1",
    queryable: false,
    fields: [
      { name: "Id", type: "id" },
      { name: "ReplayId", type: "string" },
    ],
  },
  {
    name: "ActivityHistory",
    keyPrefix: "0H1",
    queryable: false,
    fields: [
      { name: "Id", type: "id" },
      { name: "Subject", type: "combobox" },
    ],
  },
];
