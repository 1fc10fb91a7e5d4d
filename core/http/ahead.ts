import { TransientError } from "../contracts/index.js";

/**
 * Something that was asked for before its turn. Where that failed in passing before anybody came for it, it is asked for
 * again: the trouble may be long past.
 */
export class Ahead<T> {
  readonly #coming: Promise<T>;
  #hasPassed = false;

  constructor(coming: Promise<T>) {
    this.#coming = coming;
    coming.catch((error: unknown) => {
      this.#hasPassed = error instanceof TransientError;
    });
  }

  /** Undefined where it is to be asked for again. */
  get coming(): Promise<T> | undefined {
    return this.#hasPassed ? undefined : this.#coming;
  }
}
