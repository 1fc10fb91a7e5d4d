import { expect } from "vitest";
import type { SourceConnector } from "../../core/contracts/index.js";

/** People sign in at these addresses, unless the connection names others, whichever auth signs in. `config`: without auth. */
export function expectSignInAt(
  { spec }: SourceConnector,
  config: object,
  addresses: { readonly authorizeUrl: string; readonly tokenUrl: string },
): void {
  const app = (auth: object) => spec.oauth?.app({ ...config, auth });
  const elsewhere = {
    authorizeUrl: "https://proxy.example/authorize",
    tokenUrl: "https://proxy.example/token",
  };
  for (const auth of [
    { type: "oauth", clientId: "a" },
    { type: "refreshToken", clientId: "a", refreshToken: "the-refresh-token" },
  ]) {
    expect(app(auth)).toMatchObject(addresses);
    expect(app({ ...auth, ...elsewhere })).toMatchObject(elsewhere);
  }
}
