import {
  AuthError,
  type OAuthApp,
  type OAuthSpec,
  Secret,
  type TokenRequest,
  type TokenSet,
  TransientError,
} from "../../../core/contracts/index.js";

/** The token endpoint of an account whose refresh tokens work once. */
export class GrantingAccount {
  /** The refresh token that works now. */
  refreshToken = "refresh-0";
  /** The one before still works, as some accounts have it for a while. */
  grace = false;
  rotates = true;
  /** Access tokens are to be replaced so many ms after now; undefined: once they are refused. */
  renewAt: number | undefined;
  /** Every refresh token that was sent, in order. */
  readonly asked: string[] = [];
  /** Called when the tokens are rotated and the answer is on its way: throw to lose it. */
  onAnswer: (count: number) => void | Promise<void> = () => undefined;
  #before = "";
  #count = 0;

  readonly exchange: TokenRequest["exchange"] = async (token): Promise<TokenSet> => {
    const given = token.open();
    this.asked.push(given);
    // An account far away: others come meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    if (given !== this.refreshToken && !(this.grace && given === this.#before)) {
      throw new AuthError("ACCOUNT_INVALID_GRANT", `invalid_grant: ${given} was used before`);
    }
    const count = ++this.#count;
    if (this.rotates) {
      this.#before = given;
      this.refreshToken = `refresh-${count}`;
    }
    const rotated = this.refreshToken;
    await this.onAnswer(count);
    return {
      accessToken: new Secret(`access-${count}`),
      refreshToken: this.rotates ? new Secret(rotated) : undefined,
      renewAt: this.renewAt,
      baseUrl: "https://acme.example",
      identity: undefined,
    };
  };

  /** The account forgets its newest refresh token, as after a failover, and knows the one before. */
  fallBack(): void {
    this.refreshToken = this.#before;
  }

  revoke(): void {
    this.refreshToken = "nobody has this one";
    this.#before = this.refreshToken;
  }
}

export const lost = () => {
  throw new TransientError("HTTP_NO_ANSWER", "the connection was cut");
};

export const SPEC: OAuthSpec = { app: () => undefined, revokedCodes: ["ACCOUNT_INVALID_GRANT"] };

export function appWith(refreshToken: string | undefined, more: Partial<OAuthApp> = {}): OAuthApp {
  return {
    authorizeUrl: "https://acme.example/authorize",
    tokenUrl: "https://acme.example/token",
    clientId: "the-app",
    clientSecret: undefined,
    refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
    account: "acme",
    authorizeParameters: {},
    tokenBody: "form",
    redirectHost: "localhost",
    registeredAt: "with the app",
    ...more,
  };
}
