import { zendesk } from "../../../connectors/zendesk/index.js";
import type { StreamSpec } from "../../../connectors/zendesk/streams.js";
import type { ConnectorContext, Page, ReadRequest, Source } from "../../../core/contracts/index.js";
import { LogSpy } from "../../core/http/log-spy.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { type Account, isoSeconds, type Row } from "../../fakes/zendesk/index.js";
import { seededRandom } from "../../seeded-random.js";

/** What the connector is to hand out of an account's stream: key and cursor value. */
export function recordsOf(account: Account, spec: StreamSpec): Map<string, string> {
  const records = new Map<string, string>();
  const table = spec.rows === "metricSets" ? "tickets" : spec.key;
  for (const row of account.table(table).values()) {
    const at = isoSeconds(account.stampOf(table, row) * 1000);
    for (const id of idsOf(row, spec)) records.set(String(id), at);
  }
  return records;
}

function idsOf(row: Row, spec: StreamSpec): unknown[] {
  if (spec.rows === "metricSets") {
    const metrics = row.metric_set;
    return typeof metrics === "object" && metrics !== null && !Array.isArray(metrics) ? [metrics.id] : [];
  }
  if (spec.rows !== "comments") return [row.id];
  const children = Array.isArray(row.child_events) ? row.child_events : [];
  return children.flatMap((child) =>
    typeof child === "object" && child !== null && !Array.isArray(child) && child.event_type === "Comment"
      ? [child.id]
      : [],
  );
}

/** A connection with a ready access token to whatever answers at `url`. */
export function connectTo(url: string, more: Partial<ConnectorContext> & { readonly config?: object } = {}) {
  const clock = more.clock ?? new PatientClock();
  const log = new LogSpy();
  const waits: { readonly reason: string; readonly ms: number }[] = [];
  const { config, ...context } = more;
  const source = zendesk.connect(
    {
      subdomain: "fake",
      baseUrl: url,
      auth: { type: "accessToken", accessToken: "a-token-of-the-test" },
      ...config,
    },
    {
      connection: "desk",
      clock,
      random: seededRandom(3),
      log,
      tmpDir: "/nowhere",
      onWait: (wait) => waits.push(wait),
      ...context,
    },
  );
  return { source, clock, log, waits };
}

export const never = () => new AbortController().signal;

/** A request for everything that describe shows, incrementally where the stream can. */
export async function requestFor(
  source: Source,
  stream: string,
  extra: Partial<ReadRequest> = {},
): Promise<ReadRequest> {
  const schema = await source.describe(stream, never());
  return {
    stream,
    schema,
    mode: schema.cursors.length === 0 ? "full" : "incremental",
    cursorField: schema.cursors[0],
    cursor: undefined,
    lookbackMs: schema.defaultLookbackMs,
    fields: schema.fields.map(({ name }) => name),
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
