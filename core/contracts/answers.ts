/** An answer as it came, unpacked. */
export interface KeptAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Answers that a read has asked for before their turn, kept on disk until their records are stored: what a kill finds
 * here is not fetched again. Nothing is lost where one is missing.
 */
export interface AnswersAhead {
  /** Whether an answer is kept under this key: text that names the request, and of which read it is. */
  has(key: string): boolean;
  /** Undefined for one that is not kept, too old, or was not written whole. */
  get(key: string): Promise<KeptAnswer | undefined>;
  /** The answer is whole on disk when it resolves. False: there is no room; do not go further ahead. */
  keep(key: string, answer: KeptAnswer): Promise<boolean>;
  /** Its records are stored, or it is of no use. */
  drop(key: string): Promise<void>;
  /** Whether there is room beside what reading on needs: for answers whose turn is far off. */
  hasRoom(): boolean;
  /** Resolves when something was dropped, or the signal is aborted. */
  room(signal: AbortSignal): Promise<void>;
}
