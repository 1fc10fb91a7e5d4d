/**
 * Keeps one element of `source` under way while the caller works on the one before: the next page is fetched while the last one
 * is handed on, and never more than that one. Leaving the loop aborts `abort`, which must end what `source` waits for.
 */
export async function* ahead<T>(source: AsyncGenerator<T>, abort: AbortController): AsyncGenerator<T> {
  const start = () => {
    const next = source.next();
    // It may fail while nobody looks; whoever comes for it gets the failure then.
    next.catch(() => undefined);
    return next;
  };
  let next = start();
  try {
    for (;;) {
      const result = await next;
      if (result.done) return;
      next = start();
      yield result.value;
    }
  } finally {
    abort.abort();
    await next.then(
      () => source.return(undefined),
      () => undefined,
    );
  }
}
