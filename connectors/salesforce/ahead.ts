/**
 * Something that was asked for before its turn. One that failed before anybody came for it is asked for again then: the
 * failure may be long past.
 */
export class Ahead<T> {
  readonly #coming: Promise<T>;
  #hasFailed = false;

  constructor(coming: Promise<T>) {
    this.#coming = coming;
    coming.catch(() => {
      this.#hasFailed = true;
    });
  }

  /** Undefined where it has failed by now. */
  get coming(): Promise<T> | undefined {
    return this.#hasFailed ? undefined : this.#coming;
  }
}
