import {
  AuthError,
  type CheckReport,
  type Field,
  type Page,
  type ReadPlan,
  type ReadRequest,
  type Source,
  type StreamInfo,
  type StreamSchema,
} from "../contracts/index.js";
import type { GrantOwner, Grants } from "./grants.js";

/**
 * A source whose account may say at any call, not only when it is asked for tokens, that the grant is gone: Slack does so
 * when the app is removed. Such an error pauses the grant as a refused refresh token does.
 */
export class GrantedSource implements Source {
  readonly #source: Source;
  readonly #grants: Grants;
  readonly #owner: GrantOwner;
  readonly resolvePath?: NonNullable<Source["resolvePath"]>;

  constructor(source: Source, grants: Grants, owner: GrantOwner) {
    this.#source = source;
    this.#grants = grants;
    this.#owner = owner;
    const resolve = source.resolvePath?.bind(source);
    if (resolve !== undefined) {
      this.resolvePath = (schema, path, signal): Promise<Field> =>
        this.#watched(resolve(schema, path, signal));
    }
  }

  check(signal: AbortSignal): Promise<CheckReport> {
    return this.#watched(this.#source.check(signal));
  }

  discover(signal: AbortSignal): Promise<readonly StreamInfo[]> {
    return this.#watched(this.#source.discover(signal));
  }

  describe(stream: string, signal: AbortSignal): Promise<StreamSchema> {
    return this.#watched(this.#source.describe(stream, signal));
  }

  plan(request: ReadRequest): Promise<ReadPlan> {
    return this.#watched(this.#source.plan(request));
  }

  async *read(request: ReadRequest): AsyncIterable<Page> {
    try {
      yield* this.#source.read(request);
    } catch (error) {
      throw await this.#judged(error);
    }
  }

  apiCalls(): number {
    return this.#source.apiCalls();
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #watched<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw await this.#judged(error);
    }
  }

  async #judged(error: unknown): Promise<unknown> {
    const isRevoked = error instanceof AuthError && this.#owner.spec.revokedCodes.includes(error.code);
    return isRevoked ? this.#grants.pause(this.#owner, error) : error;
  }
}
