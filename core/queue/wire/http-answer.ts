/** What goes back to the client, in whichever protocol. */
export interface HttpAnswer {
  readonly status: number;
  /** Names and values in turn, as node takes them. */
  readonly headers: readonly string[];
  readonly body: string;
}
