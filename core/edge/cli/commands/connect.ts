import { z } from "zod";
import {
  AuthError,
  CancelledError,
  ConfigError,
  type OAuthApp,
  parseDuration,
  throwIfCancelled,
} from "../../../contracts/index.js";
import type { SignIn } from "../../../http/index.js";
import type { GrantOwner } from "../../../run/index.js";
import { type CommandContext, defineCommand } from "../command.js";
import { sourceNamed } from "../connection.js";
import { EXIT } from "../exit-code.js";
import { Loopback } from "../loopback.js";

/** Registered with the account's app together with its path, so it must not change from one sign-in to the next. */
const DEFAULT_PORT = "8976";

const port = z
  .string()
  .default(DEFAULT_PORT)
  .transform(Number)
  .refine(
    (number) => Number.isInteger(number) && number >= 0 && number <= 65_535,
    "expected a port from 1 to 65535, or 0 for any",
  );

const timeout = z
  .string()
  .default("5m")
  .transform((typed, context) => {
    const ms = parseDuration(typed);
    if (ms !== undefined && ms > 0) return ms;
    context.issues.push({ code: "custom", input: typed, message: "expected a duration such as 5m" });
    return z.NEVER;
  });

export const connect = defineCommand({
  name: "connect",
  summary: "sign in to an account with a browser and keep the tokens, encrypted",
  details:
    "Opens the account's own page, waits for its redirect on this machine, and stores the tokens in the data directory,\n" +
    "encrypted with the key in SLUICE_TOKEN_KEY or, where that is not set, in the data directory's own token.key. Flows of a\n" +
    "connection whose sign-in has ended go on after it. The redirect URL is http://localhost:8976/callback, of some accounts\n" +
    "with 127.0.0.1 in place of localhost; it must be registered with the app. On a machine without a browser, forward\n" +
    "the port (ssh -L 8976:127.0.0.1:8976) and open the printed page where there is one.",
  arguments: [{ name: "connection", form: "<connection>", description: "a source of sluice.yaml" }],
  options: [
    { flags: "--port <number>", description: "port of the redirect URL; 0 takes any (default: 8976)" },
    { flags: "--no-browser", description: "only print the page's address" },
    { flags: "--timeout <duration>", description: "how long to wait for the person (default: 5m)" },
  ],
  examples: ["sluice connect salesforce", "sluice connect salesforce --no-browser --port 9000"],
  input: z.object({ connection: z.string(), port, browser: z.boolean().default(true), timeout }),
  async run({ connection, port, browser, timeout }, context) {
    const { output, shell, workspace } = context;
    const project = await workspace.projectToConnect([connection]);
    sourceNamed(project, connection);
    const { connectSource, grantOwner } = await import("../../../run/index.js");
    const host = await workspace.host();
    const owner = grantOwner(host, connection);
    if (owner === undefined) throw notByBrowser(connection);
    const grants = await workspace.grants();
    await grants.prepare(owner);
    const loopback = await Loopback.listen({
      host: owner.app.redirectHost,
      port,
      onRefused: (reason) => output.warn(`a request to the redirect URL was refused: ${reason}`),
    });
    try {
      await signIn(owner, loopback, { browser, timeout }, context);
    } finally {
      await loopback.close();
    }
    const source = connectSource(host, connection);
    try {
      const { identity, details, warnings } = await source.check(shell.signal);
      for (const warning of warnings) output.warn(warning);
      output.result(
        { connection, connector: project.connections.get(connection)?.connector ?? null, identity, details },
        () => `${output.paint("bold", connection)}: ${output.paint("green", "signed in")}, ${identity}`,
      );
    } finally {
      await source.close();
    }
    return EXIT.done;
  },
});

async function signIn(
  owner: GrantOwner,
  loopback: Loopback,
  options: { readonly browser: boolean; readonly timeout: number },
  context: CommandContext,
): Promise<void> {
  const { shell, workspace, output } = context;
  const { authorizeUrl, beginSignIn } = await import("../../../http/index.js");
  const attempt = beginSignIn(loopback.redirectUri);
  const waiting = patience(options.timeout, owner.connection, context);
  try {
    const redirect = loopback.redirect(attempt.state, waiting.signal);
    // It may come, or be given up, before it is awaited.
    redirect.catch(() => undefined);
    show(authorizeUrl(owner.app, attempt), owner.app, attempt, options.browser, context);
    const { code, answer } = await redirect;
    try {
      const tokens = await redeemed(owner, attempt, code, context);
      await (await workspace.grants()).begin(owner, tokens, shell.signal);
      if (tokens.refreshToken === undefined) {
        output.warn(
          "the account gave no refresh token: when its access token ends somebody must sign in again; check the app's scopes.",
        );
      }
    } catch (error) {
      await answer(false, "The sign-in failed. See the terminal.");
      throw error;
    }
    await answer(true, "Sluice is signed in. You can close this page.");
  } finally {
    waiting.end();
  }
}

/** Aborts with what to tell the person: the time is over, or Ctrl-C. */
function patience(ms: number, connection: string, { shell }: CommandContext) {
  const over = new AbortController();
  const ended = new AbortController();
  const onCancel = () => over.abort(new CancelledError("CANCELLED", "cancelled; nothing was changed"));
  if (shell.signal.aborted) onCancel();
  shell.signal.addEventListener("abort", onCancel, { once: true });
  shell.clock.sleep(ms, ended.signal).then(
    () =>
      over.abort(
        new AuthError("CONNECT_TIMEOUT", `nobody has signed in within ${Math.round(ms / 1000)} s`, {
          place: connection,
          fix: "Run the command again; --timeout gives more time.",
        }),
      ),
    () => undefined,
  );
  const end = () => {
    ended.abort();
    shell.signal.removeEventListener("abort", onCancel);
  };
  return { signal: over.signal, end };
}

/** The address goes to the terminal as it is: nothing in it is secret, and a masked client id would not work. */
function show(
  url: string,
  app: OAuthApp,
  { redirectUri }: SignIn,
  browser: boolean,
  { shell, output }: CommandContext,
): void {
  output.note(`The redirect URL is ${redirectUri}; it must be registered ${app.registeredAt}.`);
  const opened = browser && shell.browse !== undefined;
  const lead = opened ? "If the browser does not show it, open this page:" : "Open this page in a browser:";
  output.write(`${lead}\n\n  ${url}\n\n`);
  if (!opened) return;
  // Not awaited: the page may be done before its browser has begun.
  shell.browse?.(url).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    output.warn(`the browser could not be opened (${reason})`);
  });
}

async function redeemed(
  { app, connection }: GrantOwner,
  attempt: SignIn,
  code: Parameters<typeof import("../../../http/index.js").redeemCode>[3],
  { shell, workspace }: CommandContext,
) {
  const { CODE_ROWS, createHttpClient, redeemCode } = await import("../../../http/index.js");
  throwIfCancelled(shell.signal);
  const http = createHttpClient({
    connection,
    clock: shell.clock,
    random: shell.random,
    log: workspace.log,
    statusTable: CODE_ROWS,
    secrets: [code, attempt.verifier, ...(app.clientSecret === undefined ? [] : [app.clientSecret])],
    // The person waits at the page.
    totalTimeoutMs: 60_000,
  });
  try {
    return await redeemCode(http, app, attempt, code, { now: shell.clock.now(), signal: shell.signal });
  } finally {
    http.close();
  }
}

function notByBrowser(connection: string): ConfigError {
  return new ConfigError("CONNECT_NO_BROWSER", `${connection} does not sign in with a browser`, {
    place: `sluice.yaml connections.${connection}.auth`,
    fix: "Give its auth the type oauth, where its connector has one (connectors/README.md); other types need no sign-in.",
  });
}
