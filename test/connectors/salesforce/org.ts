import { salesforce } from "../../../connectors/salesforce/index.js";
import type { ConnectorContext, Page, ReadRequest, Source } from "../../../core/contracts/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { json, type Script, type Seen, startScriptedServer } from "../../core/http/scripted-server.js";
import { seededRandom } from "../../seeded-random.js";

/** A connection with a ready access token to whatever answers at `url`. */
export function connectTo(url: string, more: Partial<ConnectorContext> & { readonly config?: object } = {}) {
  const clock = more.clock ?? new PatientClock();
  const log = new LogSpy();
  const { config, ...context } = more;
  const source = salesforce.connect(
    salesforce.spec.configSchema.parse({
      instanceUrl: url,
      loginUrl: url,
      auth: { type: "accessToken", accessToken: "00Dxx!token-of-the-test" },
      ...config,
    }),
    { connection: "crm", clock, random: seededRandom(3), log, tmpDir: "/nowhere", ...context },
  );
  return { source, clock, log };
}

export const never = () => new AbortController().signal;

/** A request for an incremental read of everything that describe shows. */
export async function requestFor(
  source: Source,
  stream: string,
  extra: Partial<ReadRequest> = {},
): Promise<ReadRequest> {
  const schema = await source.describe(stream, never());
  return {
    stream,
    schema,
    mode: "incremental",
    cursorField: schema.cursors[0],
    cursor: undefined,
    lookbackMs: schema.defaultLookbackMs,
    fields: ["Id"],
    filter: undefined,
    options: undefined,
    signal: never(),
    ...extra,
  };
}

export async function collect(pages: AsyncIterable<Page>): Promise<Page[]> {
  const all: Page[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

/** A field of a scripted describe. */
export function field(name: string, type: string, more: object = {}): object {
  return { name, label: name, type, filterable: true, sortable: true, referenceTo: [], ...more };
}

export const SYSTEM_FIELDS = [field("Id", "id", { length: 18 }), field("SystemModstamp", "datetime")];

/** What a scripted org answers: describes by object, queries by a function of the decoded SOQL or locator. */
export interface ScriptedOrg {
  readonly objects: Readonly<Record<string, readonly object[]>>;
  readonly query: (asked: { readonly soql?: string; readonly locator?: string }, seen: Seen) => Script;
}

/**
 * A server that answers describe and query as the test says; for what the honest fake never does. getUpdated covers all
 * that is asked for.
 */
export async function startScriptedOrg(org: ScriptedOrg) {
  const queries: string[] = [];
  const server = await startScriptedServer((seen, response) => {
    const url = new URL(seen.url, "http://127.0.0.1");
    const [, object] = /\/sobjects\/(\w+)\/describe$/.exec(url.pathname) ?? [];
    const [, locator] = /\/query\/(.+)$/.exec(url.pathname) ?? [];
    const soql = url.searchParams.get("q");
    if (object !== undefined) {
      const fields = org.objects[object];
      const answer =
        fields === undefined
          ? notFound()
          : json({ name: object, queryable: true, replicateable: true, fields });
      return answer(seen, response);
    }
    if (/\/sobjects\/\w+\/updated\/$/.test(url.pathname)) {
      // No transaction is running.
      return json({ ids: [], latestDateCovered: url.searchParams.get("end") })(seen, response);
    }
    if (url.pathname.endsWith("/sobjects")) {
      return json({
        sobjects: Object.keys(org.objects).map((name) => ({ name, label: name, queryable: true })),
      })(seen, response);
    }
    queries.push(soql ?? locator ?? seen.url);
    return org.query(soql === null ? { locator: locator ?? "" } : { soql }, seen)(seen, response);
  });
  return { server, queries };
}

export function notFound(): Script {
  return json([{ errorCode: "NOT_FOUND", message: "The requested resource does not exist" }], 404);
}

export function apiError(status: number, errorCode: string, message: string): Script {
  return json([{ errorCode, message }], status);
}
