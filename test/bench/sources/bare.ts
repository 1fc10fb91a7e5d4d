import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import axios, { type AxiosInstance } from "axios";
import { parse } from "csv-parse/sync";
import { BENCH_CHANNEL } from "../../fakes/slack/index.js";
import type { LoopResult } from "./loop-result.js";
import { PAGE, type SourceName, sourceNamed } from "./measured-source.js";

/*
 * The bare loop: fetch each page, parse it, and nothing else. JSON by JSON.parse, CSV by csv-parse (what a script would take)
 * into objects of texts. Argument: the name of a MeasuredSource; its environment is the fake's.
 */
const { env } = process;
const LOOPS: Readonly<Record<SourceName, () => Promise<number>>> = { salesforce, slack, zendesk };
const { name } = sourceNamed(process.argv[2] ?? "");
const startedAt = performance.now();
const records = await LOOPS[name]();
const result: LoopResult = { records, seconds: (performance.now() - startedAt) / 1000 };
process.stdout.write(JSON.stringify(result));

async function salesforce(): Promise<number> {
  const http = client(env.SF_URL, env.SF_ACCESS_TOKEN);
  const about: { fields: { name: string }[] } = JSON.parse(
    (await http.get<string>("/services/data/v67.0/sobjects/Bench__c/describe")).data,
  );
  const query = `SELECT ${about.fields.map((field) => field.name).join(",")} FROM Bench__c`;
  const jobs = "/services/data/v67.0/jobs/query";
  const made: { id: string } = JSON.parse(
    (await http.post<string>(jobs, { operation: "query", query })).data,
  );
  let state = "";
  while (state !== "JobComplete") {
    await sleep(100);
    const job: { state: string } = JSON.parse((await http.get<string>(`${jobs}/${made.id}`)).data);
    state = job.state;
    if (state === "Failed" || state === "Aborted") throw new Error(`the job is ${state}`);
  }
  let count = 0;
  let locator = "";
  while (locator !== "null") {
    const at = locator === "" ? "" : `&locator=${encodeURIComponent(locator)}`;
    const page = await http.get<string>(`${jobs}/${made.id}/results?maxRecords=${PAGE.salesforce}${at}`);
    const rows: Record<string, string>[] = parse(page.data, { columns: true });
    count += rows.length;
    locator = String(page.headers["sforce-locator"]);
  }
  return count;
}

async function slack(): Promise<number> {
  const http = client(env.SLACK_API_URL, env.SLACK_TOKEN);
  let count = 0;
  let cursor = "";
  do {
    const answer = await http.get<string>(
      `/conversations.history?channel=${BENCH_CHANNEL}&limit=${PAGE.slack}&cursor=${encodeURIComponent(cursor)}`,
    );
    const page: { messages: unknown[]; response_metadata?: { next_cursor?: string } } = JSON.parse(
      answer.data,
    );
    count += page.messages.length;
    cursor = page.response_metadata?.next_cursor ?? "";
  } while (cursor !== "");
  return count;
}

async function zendesk(): Promise<number> {
  const login = await axios.post<{ access_token: string }>(`${env.ZENDESK_URL}/oauth/tokens`, {
    grant_type: "client_credentials",
    client_id: env.ZENDESK_CLIENT_ID,
    client_secret: env.ZENDESK_CLIENT_SECRET,
    scope: "read",
  });
  const http = client(env.ZENDESK_URL, login.data.access_token);
  let count = 0;
  let at = "start_time=0";
  for (;;) {
    const answer = await http.get<string>(
      `/api/v2/incremental/tickets/cursor.json?${at}&per_page=${PAGE.zendesk}`,
    );
    const page: { tickets: unknown[]; after_cursor: string; end_of_stream: boolean } = JSON.parse(
      answer.data,
    );
    count += page.tickets.length;
    if (page.end_of_stream) return count;
    at = `cursor=${encodeURIComponent(page.after_cursor)}`;
  }
}

function client(baseURL = "", token = ""): AxiosInstance {
  return axios.create({
    baseURL,
    headers: { authorization: `Bearer ${token}` },
    httpAgent: new Agent({ keepAlive: true }),
    responseType: "text",
    transformResponse: (text: unknown) => text,
  });
}
