import type { Page, RefusedRecord, SourceRecord } from "../contracts/index.js";
import type { Flow, Outcome } from "../flow/types.js";
import type { PreparedFlow } from "./prepare.js";

/** A record that was refused as it was read (Page.refused), as what becomes of it: no filter and no map looks at it. */
export function refusalOf(
  { rule, reason }: RefusedRecord,
  flow: Flow,
): Outcome & { readonly kind: "rejected" } {
  return { kind: "rejected", rejection: { stage: "source", rule, reason, action: flow.errors.onReject } };
}

/** False where the values that tell a record and its version from others are in doubt themselves. */
export function isRecognisable(
  record: SourceRecord,
  { refused }: Page,
  { cursorField, stream }: Pick<PreparedFlow, "cursorField" | "stream">,
): boolean {
  const why = refused?.get(record);
  return (
    why === undefined ||
    !why.doubtful.some((name) => name === cursorField || stream.primaryKey.includes(name))
  );
}
