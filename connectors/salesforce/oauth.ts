import type { OAuthSpec } from "../../core/contracts/index.js";
import { configSchema, tokenUrlOf } from "./config.js";

/** For connections whose configured refresh token is replaced; openid lets us say who signed in. */
const DEFAULT_SCOPES = "api refresh_token openid";

/**
 * How a person signs in: the web server flow with PKCE, at the login host. Salesforce takes plain http for a callback URL
 * only at localhost, and compares it with the registered ones letter by letter, port included.
 */
export const salesforceOAuth: OAuthSpec = {
  app: (config) => {
    const parsed = configSchema.parse(config);
    const { auth, instanceUrl, loginUrl } = parsed;
    if (auth.type !== "oauth" && auth.type !== "refreshToken") return undefined;
    return {
      authorizeUrl: auth.authorizeUrl ?? `${loginUrl}/services/oauth2/authorize`,
      tokenUrl: tokenUrlOf(parsed),
      clientId: auth.clientId,
      clientSecret: auth.clientSecret,
      refreshToken: auth.type === "refreshToken" ? auth.refreshToken : undefined,
      account: instanceUrl,
      authorizeParameters: { scope: auth.type === "oauth" ? auth.scopes : DEFAULT_SCOPES },
      tokenBody: "form",
      redirectHost: "localhost",
      baseUrlIn: "instance_url",
      identityIn: "id",
      registeredAt: "with the external client app, under OAuth Settings, Callback URL",
    };
  },
  revokedCodes: ["SALESFORCE_INVALID_GRANT"],
};
