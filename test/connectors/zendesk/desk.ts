import { afterEach } from "vitest";
import type {
  ConnectorContext,
  Page,
  ReadRequest,
  SourceRecord,
  Value,
} from "../../../core/contracts/index.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { json, type Script, type Seen, startScriptedServer } from "../../core/http/scripted-server.js";
import { startZendeskFake, type ZendeskFakeOptions } from "../../fakes/zendesk/index.js";
import { collect, connectTo, requestFor } from "./account.js";

/** Closes what a test has opened, last first. */
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Now, of these tests: 2026-10-01T12:00:00Z. */
export const NOON = Date.UTC(2026, 9, 1, 12);

type More = Partial<ConnectorContext> & { readonly config?: object };

/** An account at the honest fake, and a connection to it. */
export async function deskOf(options: ZendeskFakeOptions = {}, more: More = {}) {
  const clock = new PatientClock(NOON);
  const fake = await startZendeskFake({ clock, ...options });
  const auth = { type: "accessToken", accessToken: fake.accessToken };
  const connected = connectTo(fake.url, { clock, ...more, config: { auth, ...more.config } });
  closers.push(
    () => fake.close(),
    () => connected.source.close(),
  );
  const { source } = connected;
  const read = async (stream: string, extra: Partial<ReadRequest> = {}) =>
    collect(source.read(await requestFor(source, stream, extra)));
  return { ...connected, fake, clock, read, account: fake.account };
}

/** A server that answers what the test says, for what the honest fake never does. */
export async function scriptedDesk(answer: (url: URL, seen: Seen) => Script | object, more: More = {}) {
  const server = await startScriptedServer((seen, response) => {
    const made = answer(new URL(seen.url, "http://127.0.0.1"), seen);
    return (isScript(made) ? made : json(made))(seen, response);
  });
  const clock = new PatientClock(NOON);
  const connected = connectTo(server.url, { clock, ...more });
  closers.push(
    () => server.close(),
    () => connected.source.close(),
  );
  const { source } = connected;
  const read = async (stream: string, extra: Partial<ReadRequest> = {}) =>
    collect(source.read(await requestFor(source, stream, extra)));
  const asked = () => server.seen.map(({ url }) => decodeURIComponent(url));
  return { ...connected, server, clock, read, asked };
}

export const recordsIn = (pages: readonly Page[]): SourceRecord[] =>
  pages.flatMap(({ records }) => [...records]);
export const idsIn = (pages: readonly Page[]) => recordsIn(pages).map(({ id }) => Number(id));
export const lastCursor = (pages: readonly Page[]): Value | undefined => pages.at(-1)?.cursor;
export const sized = (pageSize: number) => ({ pageSize, settle: 60_000 });
export const full = { mode: "full", cursorField: undefined } as const;
/** Epoch seconds of a time on that day. */
export const at = (time: string) => Date.parse(`2026-10-01T${time}Z`) / 1000;

function isScript(made: Script | object): made is Script {
  return typeof made === "function";
}
