import type { OAuthSpec } from "../../core/contracts/index.js";
import { baseUrlOf, configSchema } from "./config.js";

/**
 * How a person signs in: the authorization code flow with PKCE, at the account itself; a public client has no secret. A
 * refresh token lives 30 days where the client says nothing else: a connection that rests for longer asks to sign in again.
 */
export const zendeskOAuth: OAuthSpec = {
  app: (config) => {
    const parsed = configSchema.parse(config);
    const { auth } = parsed;
    if (auth.type !== "oauth" && auth.type !== "refreshToken") return undefined;
    const baseUrl = baseUrlOf(parsed);
    return {
      authorizeUrl: auth.authorizeUrl ?? `${baseUrl}/oauth/authorizations/new`,
      tokenUrl: auth.tokenUrl ?? `${baseUrl}/oauth/tokens`,
      clientId: auth.clientId,
      clientSecret: auth.clientSecret,
      refreshToken: auth.type === "refreshToken" ? auth.refreshToken : undefined,
      account: baseUrl,
      authorizeParameters: { scope: auth.scope },
      tokenParameters: { scope: auth.scope },
      tokenBody: "json",
      redirectHost: "localhost",
      registeredAt: "with the OAuth client in Admin Center, under Redirect URLs",
    };
  },
  revokedCodes: ["ZENDESK_INVALID_GRANT"],
};
