import { type Load, type LoadState, type Message, textAttributes } from "../contracts/index.js";

/** The load of a recorded state and its messages, as a sink sees it. `resumed`: another run recorded it. */
export function loadOf(state: LoadState, messages: readonly Message[], resumed: boolean): Load {
  return {
    id: state.id,
    flow: state.flow,
    run: state.run,
    generation: state.generation,
    ...(resumed ? { resumed } : {}),
    records: state.records,
    bytes: state.bytes,
    schema: state.schema,
    async *chunks() {
      for (const message of messages) yield message.body();
    },
  };
}

/** What messages must share to go into one load: the run whose account they belong to, and their columns. */
export function groupOf(message: Message): string {
  const { run, generation, schema, op } = textAttributes(message.attributes);
  return [run, generation, schema, op].join("\n");
}
