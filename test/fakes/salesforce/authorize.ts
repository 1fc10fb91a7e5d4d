import { createHash, randomBytes } from "node:crypto";
import { type Answer, type FakeRequest, oauthError, rawAnswer } from "./answer.js";
import type { FakeClock } from "./org.js";

export interface AuthorizeOptions {
  /** Callback URLs of the app, compared letter by letter. Default: any of loopback. */
  readonly callbackUrls?: readonly string[];
  /** The person at the browser does not agree. Default false. */
  readonly denies?: boolean;
}

interface Grant {
  readonly redirectUri: string;
  /** S256 of the verifier; undefined: asked for without PKCE. */
  readonly challenge: string | undefined;
  readonly expiresAt: number;
  readonly scopes: readonly string[];
}

/** Codes live so long. */
const CODE_MS = 15 * 60_000;

/**
 * `GET /services/oauth2/authorize`: the page where a person agrees, and whose "Allow" is a redirect with a code. This one
 * agrees at once (or never: `denies`). What concerns app and callback URL is said on a page; the rest goes back with the
 * redirect, as RFC 6749, 4.1.2.1 has it.
 */
export class Authorize {
  private readonly clientId: string;
  private readonly clock: FakeClock;
  private readonly codes = new Map<string, Grant>();
  private readonly callbackUrls: readonly string[] | undefined;
  denies: boolean;

  constructor(clientId: string, options: AuthorizeOptions, clock: FakeClock) {
    this.clientId = clientId;
    this.clock = clock;
    this.callbackUrls = options.callbackUrls;
    this.denies = options.denies ?? false;
  }

  page({ method, query }: FakeRequest): Answer {
    const redirectUri = query.get("redirect_uri") ?? "";
    if (method !== "GET") return oauthError(400, "invalid_request", "must use HTTP GET");
    if (query.get("client_id") !== this.clientId)
      return refusalPage("invalid_client_id", "client identifier invalid");
    if (!this.isKnown(redirectUri)) {
      return refusalPage("redirect_uri_mismatch", "redirect_uri must match configuration");
    }
    const back = (answer: Readonly<Record<string, string>>) => {
      const url = new URL(redirectUri);
      const state = query.get("state");
      for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
      if (state !== null) url.searchParams.set("state", state);
      return rawAnswer(302, "", { location: url.href });
    };
    if (query.get("response_type") !== "code")
      return back({ error: "unsupported_response_type", error_description: "response type not supported" });
    const challenge = query.get("code_challenge") ?? undefined;
    if (challenge !== undefined && query.get("code_challenge_method") !== "S256")
      return back({ error: "invalid_request", error_description: "code challenge method not supported" });
    if (this.denies)
      return back({ error: "access_denied", error_description: "end-user denied authorization" });
    // Salesforce's codes end in an escaped "==".
    const code = `aPrx${randomBytes(32).toString("base64url")}==`;
    const scopes = (query.get("scope") ?? "").split(/[ +]/).filter((scope) => scope !== "");
    this.codes.set(code, { redirectUri, challenge, expiresAt: this.clock.now() + CODE_MS, scopes });
    return back({ code });
  }

  /** Takes the code of a token request: its scopes, or what is wrong with it. A code is gone with the first try. */
  redeem(form: URLSearchParams): readonly string[] | Answer {
    const code = form.get("code") ?? "";
    const grant = this.codes.get(code);
    this.codes.delete(code);
    if (grant === undefined) return oauthError(400, "invalid_grant", "invalid authorization code");
    if (grant.expiresAt <= this.clock.now())
      return oauthError(400, "invalid_grant", "expired authorization code");
    if (form.get("redirect_uri") !== grant.redirectUri)
      return oauthError(400, "redirect_uri_mismatch", "redirect_uri must match configuration");
    if (grant.challenge === undefined) return grant.scopes;
    const verifier = form.get("code_verifier") ?? "";
    const proof = createHash("sha256").update(verifier).digest("base64url");
    return proof === grant.challenge
      ? grant.scopes
      : oauthError(400, "invalid_grant", "invalid code verifier");
  }

  private isKnown(redirectUri: string): boolean {
    if (this.callbackUrls !== undefined) return this.callbackUrls.includes(redirectUri);
    return URL.canParse(redirectUri) && ["localhost", "127.0.0.1"].includes(new URL(redirectUri).hostname);
  }
}

function refusalPage(error: string, description: string): Answer {
  const html = `<html><body>error=${error}&error_description=${encodeURIComponent(description)}</body></html>`;
  return rawAnswer(400, html, { "content-type": "text/html" });
}
