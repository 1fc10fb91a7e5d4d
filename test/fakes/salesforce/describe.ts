import { type Answer, jsonAnswer, withHeaders } from "./answer.js";
import { describeField } from "./field.js";
import type { Table } from "./table.js";

function summary(table: Table, base: string): Record<string, unknown> {
  const custom = table.name.endsWith("__c");
  return {
    activateable: false,
    createable: table.queryable,
    custom,
    customSetting: false,
    deletable: table.queryable,
    deprecatedAndHidden: false,
    feedEnabled: false,
    hasSubtypes: false,
    isSubtype: false,
    keyPrefix: table.keyPrefix,
    label: table.label,
    labelPlural: `${table.label}s`,
    layoutable: true,
    mergeable: false,
    mruEnabled: true,
    name: table.name,
    queryable: table.queryable,
    replicateable: table.replicateable,
    retrieveable: table.queryable,
    searchable: true,
    triggerable: true,
    undeletable: true,
    updateable: true,
    urls: {
      sobject: `${base}/sobjects/${table.name}`,
      describe: `${base}/sobjects/${table.name}/describe`,
      rowTemplate: `${base}/sobjects/${table.name}/{ID}`,
    },
  };
}

/** `GET .../sobjects`. `base`: `/services/data/v67.0`. */
export function describeGlobal(tables: readonly Table[], base: string): Answer {
  return jsonAnswer(200, {
    encoding: "UTF-8",
    maxBatchSize: 200,
    sobjects: tables.map((table) => summary(table, base)),
  });
}

/** `GET .../sobjects/{name}`. */
export function describeBasics(table: Table, base: string): Answer {
  return jsonAnswer(200, { objectDescribe: summary(table, base), recentItems: [] });
}

/** `GET .../sobjects/{name}/describe`, or 304 where the definition is not newer than `ifModifiedSince`. */
export function describeObject(table: Table, base: string, ifModifiedSince: string | undefined): Answer {
  const lastModified = { "last-modified": new Date(table.definedAt).toUTCString() };
  const since = Date.parse(ifModifiedSince ?? "");
  if (Math.floor(table.definedAt / 1000) * 1000 <= since) {
    return { status: 304, headers: lastModified, body: [], compressible: false };
  }
  const answer = jsonAnswer(200, {
    actionOverrides: [],
    childRelationships: [],
    compactLayoutable: true,
    ...summary(table, base),
    fields: table.columns().map((column) => describeField(column.spec)),
    namedLayoutInfos: [],
    recordTypeInfos: [],
    supportedScopes: [{ label: `All ${table.label}s`, name: "everything" }],
  });
  return withHeaders(answer, lastModified);
}
