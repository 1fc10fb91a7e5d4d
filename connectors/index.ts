import type { SinkConnector, SourceConnector } from "../core/contracts/index.js";
import { duckdb } from "./duckdb/index.js";
import { folder } from "./folder/index.js";
import { s3 } from "./s3/index.js";
import { salesforce } from "./salesforce/index.js";
import { slack } from "./slack/index.js";
import { zendesk } from "./zendesk/index.js";

// Every connector, one line each.
const sources: readonly SourceConnector[] = [salesforce, slack, zendesk];
const sinks: readonly SinkConnector[] = [
  duckdb, //
  folder,
  s3,
];

/** By the name that `connector:` in sluice.yaml gives. */
export const connectors: {
  readonly sources: ReadonlyMap<string, SourceConnector>;
  readonly sinks: ReadonlyMap<string, SinkConnector>;
} = {
  sources: new Map(sources.map((connector) => [connector.spec.name, connector])),
  sinks: new Map(sinks.map((connector) => [connector.spec.name, connector])),
};
