import type { Cell } from "./cell.js";

/** The describe types this fake serves; any other text is allowed too, since real orgs have types nobody listed. */
export type FieldType =
  | "id"
  | "reference"
  | "string"
  | "textarea"
  | "picklist"
  | "multipicklist"
  | "phone"
  | "url"
  | "email"
  | "encryptedstring"
  | "boolean"
  | "int"
  | "double"
  | "currency"
  | "percent"
  | "date"
  | "datetime"
  | "time"
  | "address"
  | (string & {});

/** What a field is made from; everything else of its describe follows from the type. */
export interface FieldSpec {
  readonly name: string;
  readonly type: FieldType;
  readonly label?: string;
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly nillable?: boolean;
  readonly filterable?: boolean;
  readonly sortable?: boolean;
  readonly nameField?: boolean;
  readonly externalId?: boolean;
  readonly autoNumber?: boolean;
  readonly compoundFieldName?: string;
  readonly referenceTo?: readonly string[];
  readonly relationshipName?: string;
  readonly picklist?: readonly string[];
  /** A formula: reads other cells of the row by field name. Such a field has no cell of its own. */
  readonly formula?: (read: (field: string) => Cell) => Cell;
}

const SOAP_TYPES: Readonly<Record<string, string>> = {
  id: "tns:ID",
  reference: "tns:ID",
  boolean: "xsd:boolean",
  int: "xsd:int",
  double: "xsd:double",
  currency: "xsd:double",
  percent: "xsd:double",
  date: "xsd:date",
  datetime: "xsd:dateTime",
  time: "xsd:time",
  address: "urn:address",
  location: "urn:location",
};
const LENGTHS: Readonly<Record<string, number>> = {
  id: 18,
  reference: 18,
  string: 255,
  textarea: 255,
  picklist: 255,
  multipicklist: 4099,
  phone: 40,
  url: 255,
  email: 80,
  encryptedstring: 175,
};
const AUDIT = new Set([
  "CreatedDate",
  "CreatedById",
  "LastModifiedDate",
  "LastModifiedById",
  "SystemModstamp",
]);

/** Long text (above 255 characters), encrypted text and compound fields can neither be filtered nor sorted. */
function searchable(spec: FieldSpec): boolean {
  if (spec.type === "address" || spec.type === "location" || spec.type === "encryptedstring") return false;
  return !(spec.type === "textarea" && (spec.length ?? 255) > 255);
}

export function isFilterable(spec: FieldSpec): boolean {
  return spec.filterable ?? searchable(spec);
}

export function isSortable(spec: FieldSpec): boolean {
  return spec.sortable ?? (searchable(spec) && spec.type !== "multipicklist");
}

/** The field as `GET .../sobjects/{name}/describe` lists it. */
export function describeField(spec: FieldSpec): Record<string, unknown> {
  const custom = spec.name.endsWith("__c");
  const numeric = ["double", "currency", "percent"].includes(spec.type);
  const readOnly = spec.type === "id" || AUDIT.has(spec.name) || spec.formula !== undefined;
  const length = spec.length ?? LENGTHS[spec.type] ?? 0;
  return {
    aggregatable: isFilterable(spec),
    autoNumber: spec.autoNumber ?? false,
    byteLength: length * 3,
    calculated: spec.formula !== undefined && spec.type !== "address",
    calculatedFormula: null,
    cascadeDelete: false,
    caseSensitive: spec.type === "id",
    compoundFieldName: spec.compoundFieldName ?? null,
    controllerName: null,
    createable: !readOnly,
    custom,
    defaultValue: spec.type === "boolean" ? false : null,
    defaultedOnCreate: spec.type === "boolean" || readOnly,
    deprecatedAndHidden: false,
    digits: spec.type === "int" ? (spec.precision ?? 8) : 0,
    encrypted: spec.type === "encryptedstring",
    externalId: spec.externalId ?? false,
    filterable: isFilterable(spec),
    groupable: isSortable(spec) && !numeric,
    idLookup: spec.type === "id" || (spec.externalId ?? false),
    label: spec.label ?? spec.name.replace(/__c$/, "").replaceAll("_", " "),
    length,
    name: spec.name,
    nameField: spec.nameField ?? false,
    nillable: spec.nillable ?? !(spec.type === "id" || spec.type === "boolean" || AUDIT.has(spec.name)),
    permissionable: !readOnly,
    picklistValues: (spec.picklist ?? []).map((value) => ({
      active: true,
      defaultValue: false,
      label: value,
      validFor: null,
      value,
    })),
    polymorphicForeignKey: (spec.referenceTo ?? []).length > 1,
    precision: numeric ? (spec.precision ?? 18) : 0,
    queryByDistance: false,
    referenceTo: spec.referenceTo ?? [],
    relationshipName: spec.relationshipName ?? null,
    restrictedPicklist: false,
    scale: numeric ? (spec.scale ?? 2) : 0,
    soapType: SOAP_TYPES[spec.type] ?? "xsd:string",
    sortable: isSortable(spec),
    type: spec.type,
    unique: spec.externalId ?? false,
    updateable: !readOnly,
  };
}
