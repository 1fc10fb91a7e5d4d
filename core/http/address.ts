import { ConfigError, type HttpRequest, isLoopback } from "../contracts/index.js";
import type { Authenticator, Credentials } from "./authenticator.js";
import type { Incoming } from "./exchange.js";
import { shownUrl } from "./redaction.js";

/** Where the request really goes. Credentials are refused to every host but their own. */
export function targetUrl(
  request: HttpRequest,
  auth: Authenticator | undefined,
  credentials: Credentials | undefined,
): string {
  if (!URL.canParse(request.url)) {
    throw new ConfigError("HTTP_BAD_URL", "the URL is not absolute", {
      place: shownUrl(request.method, request.url),
    });
  }
  const url = new URL(request.url);
  for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.append(name, value);
  if (auth !== undefined && credentials !== undefined) {
    const base = new URL(credentials.baseUrl);
    if (url.origin === new URL(auth.baseUrl).origin) {
      url.protocol = base.protocol;
      url.hostname = base.hostname;
      url.port = base.port;
    }
    if (url.origin !== base.origin) {
      throw new ConfigError(
        "HTTP_FOREIGN_HOST",
        `credentials of ${base.origin} are not sent to ${url.origin}`,
        {
          place: shownUrl(request.method, url.href),
        },
      );
    }
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname))) {
    throw new ConfigError("HTTP_PLAIN_TEXT", `${url.origin} is neither https nor this machine`, {
      place: shownUrl(request.method, url.href),
      fix: "Use an https:// URL.",
    });
  }
  return url.href;
}

/** Where a redirect of a harmless request leads, if it stays with the same host; others are the status table's. */
export function sameOriginRedirect(
  request: HttpRequest,
  from: string,
  incoming: Incoming,
): string | undefined {
  const { location } = incoming.headers;
  const follows = [301, 302, 303, 307, 308].includes(incoming.status);
  if (!follows || location === undefined || !(request.method === "GET" || request.method === "HEAD")) {
    return undefined;
  }
  if (!URL.canParse(location, from)) return undefined;
  const to = new URL(location, from);
  return to.origin === new URL(from).origin ? to.href : undefined;
}
/** On this machine bytes are free and unpacking them is not. */
export function packs(url: string): boolean {
  return !isLoopback(new URL(url).hostname);
}
