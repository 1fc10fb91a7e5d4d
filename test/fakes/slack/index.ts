/**
 * A Slack workspace on a loopback port: Web API methods for reading, OAuth with token rotation, rate limits, faults by script.
 *
 * It answers what the method reference documents and what real payloads show of it; @slack/web-api reads it unchanged
 * (test/fakes/slack.test.ts). No events, no writing. `main.js` runs it as a process; `/__fake/` (control.ts) steers it from another one.
 */
export { BENCH_CHANNEL, type BenchOptions } from "./bench.js";
export type { PagingQuirks } from "./conversations.js";
export { type Fault, type FaultRule, type FaultScript, parseFaultScript } from "./fault-script.js";
export { readWorkspaceFolder } from "./folder.js";
export { type GeneratedWorkspaceOptions, generateWorkspace } from "./generate.js";
export type { RateLimits } from "./limits.js";
export { ALL_SCOPES } from "./oauth.js";
export { SlackFake, type SlackFakeOptions, startSlackFake } from "./server.js";
export { parseTs, tsText } from "./ts.js";
export { type Channel, type FakeClock, type Item, type Message, Workspace } from "./workspace.js";
