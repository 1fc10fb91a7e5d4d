/*
 * Several readers under way at the same time, one element of each ahead of the caller and never more: while one page is handed on,
 * the next ones are fetched. Leaving a loop aborts `abort`, which must end what the sources wait for.
 */

/** A source and the element it has been asked for. */
class Reader<T> {
  readonly #source: AsyncGenerator<T>;
  next: Promise<{ readonly reader: Reader<T>; readonly result: IteratorResult<T> }>;

  constructor(source: AsyncGenerator<T>) {
    this.#source = source;
    this.next = this.#ask();
  }

  advance(): void {
    this.next = this.#ask();
  }

  /** Ends the source, behind what it is in. */
  async leave(): Promise<void> {
    await this.next.then(
      () => this.#source.return(undefined),
      () => undefined,
    );
  }

  #ask(): Reader<T>["next"] {
    const next = this.#source.next().then((result) => ({ reader: this, result }));
    // It may fail while nobody looks; whoever comes for it gets the failure then.
    next.catch(() => undefined);
    return next;
  }
}

/** Elements as they come; those of one source keep their order. */
export async function* asTheyCome<T>(
  sources: readonly AsyncGenerator<T>[],
  abort: AbortController,
): AsyncGenerator<T> {
  const readers = new Set(sources.map((source) => new Reader(source)));
  try {
    while (readers.size > 0) {
      const { reader, result } = await Promise.race([...readers].map(({ next }) => next));
      readers.delete(reader);
      if (result.done) continue;
      reader.advance();
      // Behind the others, so that a fast one does not keep them waiting.
      readers.add(reader);
      yield result.value;
    }
  } finally {
    abort.abort();
    await Promise.all([...readers].map((reader) => reader.leave()));
  }
}

/** All elements of the first source, then all of the next; `atOnce` of them are under way. */
export async function* inOrder<T>(
  sources: Iterable<AsyncGenerator<T>>,
  atOnce: number,
  abort: AbortController,
): AsyncGenerator<T> {
  const rest = sources[Symbol.iterator]();
  const readers: Reader<T>[] = [];
  try {
    for (;;) {
      while (readers.length < atOnce) {
        const source = rest.next();
        if (source.done) break;
        readers.push(new Reader(source.value));
      }
      const [current] = readers;
      if (current === undefined) return;
      const { result } = await current.next;
      if (result.done) {
        readers.shift();
        continue;
      }
      current.advance();
      yield result.value;
    }
  } finally {
    abort.abort();
    await Promise.all(readers.map((reader) => reader.leave()));
  }
}
