import { createHash, randomBytes } from "node:crypto";
import type { FakeClock } from "./account.js";
import { type Answer, type FakeRequest, jsonAnswer, oauthError } from "./answer.js";

interface Grant {
  readonly redirectUri: string;
  readonly challenge: string | undefined;
  readonly scope: string;
  readonly expiresAt: number;
}

/** Codes live two minutes. */
const CODE_MS = 120_000;

/** `GET /oauth/authorizations/new`: the page whose "Allow" is a redirect with a code. This one allows at once. */
export class Authorize {
  private readonly clientId: string;
  private readonly clock: FakeClock;
  private readonly codes = new Map<string, Grant>();

  constructor(clientId: string, clock: FakeClock) {
    this.clientId = clientId;
    this.clock = clock;
  }

  page({ query }: FakeRequest): Answer {
    const redirectUri = query.get("redirect_uri") ?? "";
    if (query.get("client_id") !== this.clientId || !URL.canParse(redirectUri))
      return oauthError(400, "invalid_request", "No such client, or no redirect URL of it");
    const back = new URL(redirectUri);
    const state = query.get("state");
    if (state !== null) back.searchParams.set("state", state);
    const challenge = query.get("code_challenge") ?? undefined;
    if (query.get("response_type") !== "code") {
      back.searchParams.set("error", "unsupported_response_type");
    } else if (challenge !== undefined && query.get("code_challenge_method") !== "S256") {
      back.searchParams.set("error", "invalid_request");
    } else {
      const code = randomBytes(32).toString("hex");
      const expiresAt = this.clock.now() + CODE_MS;
      this.codes.set(code, { redirectUri, challenge, scope: query.get("scope") ?? "", expiresAt });
      back.searchParams.set("code", code);
    }
    return { ...jsonAnswer(302, {}), headers: { location: back.href } };
  }

  /** True for a code, its redirect URL and its verifier; it is gone with the first try. */
  redeem(body: Readonly<Record<string, unknown>>): boolean {
    const code = typeof body.code === "string" ? body.code : "";
    const grant = this.codes.get(code);
    this.codes.delete(code);
    if (grant === undefined || grant.expiresAt <= this.clock.now()) return false;
    if (body.redirect_uri !== grant.redirectUri || grant.scope === "") return false;
    // A public client has nothing else to prove itself with.
    if (grant.challenge === undefined) return body.client_secret !== undefined;
    const verifier = typeof body.code_verifier === "string" ? body.code_verifier : "";
    return createHash("sha256").update(verifier).digest("base64url") === grant.challenge;
  }
}
