import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { ConfigError, ORDER_COLUMN, type SourceRecord } from "../../../contracts/index.js";
import type { DeadLetter } from "../../../run/deadletters.js";
import { type CommandContext, defineCommand } from "../command.js";
import { deadLetterById } from "../dead-letter-choice.js";
import { wholeDocument, wholeText } from "../dead-letter-report.js";
import { editText } from "../edited-text.js";
import { EXIT } from "../exit-code.js";
import { editedRecord, type FieldValue, fieldEdit } from "../field-edits.js";
import { names, optionalText } from "../input.js";
import { toJson } from "../json.js";

export const deadLettersEdit = defineCommand({
  name: "dead-letters edit",
  summary: "correct one refused record before it is sent again",
  details:
    "Without options it opens the record in $VISUAL or $EDITOR. What map or validate had refused is a source record, what\n" +
    "a sink had refused is a mapped record and must fit its columns. The edited letter takes the place of the old one under\n" +
    "a new id and keeps all else: reason, rule, run, time, order. Redrive it with `sluice dead-letters redrive`.",
  arguments: [{ name: "id", form: "<id>", description: "its id, or the first characters of it" }],
  options: [
    {
      flags: "--set <field=value>",
      description:
        "gives a field this JSON value (texts in quotes); Owner.Name reaches inside; may be repeated",
      repeats: true,
    },
    { flags: "--unset <field>", description: "takes a field away; may be repeated", repeats: true },
    {
      flags: "--body <file>",
      description: "takes the whole record, one JSON object, from a file (-: standard input)",
    },
  ],
  examples: [
    "sluice dead-letters edit 0f8b2c1e",
    "sluice dead-letters edit 0f8b2c1e --set 'Name=\"Acme\"' --set Employees=12 --unset Fax",
    "sluice dead-letters edit 0f8b2c1e --body mended.json",
  ],
  input: z.object({
    id: z.string().min(1),
    set: z.array(fieldEdit).default([]),
    unset: names,
    body: optionalText,
  }),
  async run({ id, ...change }, context) {
    const { shell, output, workspace } = context;
    if (change.body !== undefined && (change.set.length > 0 || change.unset.length > 0)) {
      throw new ConfigError(
        "USAGE",
        "--body gives the whole record, --set and --unset change the one that is there",
        {
          fix: "Give the one or the other.",
        },
      );
    }
    await workspace.projectToLookAt();
    const environment = await workspace.existingEnvironment("change");
    const letter = deadLetterById(environment, id);
    const { editDeadLetter } = await import("../../../run/index.js");
    const edited = await withRecord(letter, change, context, async (record) => {
      if (record === undefined || environment === undefined) return undefined;
      return editDeadLetter(environment, letter, record, shell.clock.now());
    });
    const replaces = edited === undefined ? null : letter.messageId;
    const present = edited ?? letter;
    output.result({ ...wholeDocument(present), edited: edited !== undefined, replaces }, () =>
      edited === undefined ? "Nothing was changed." : wholeText(edited, output),
    );
    if (edited !== undefined) output.note(`\nSend it again: sluice dead-letters redrive ${edited.messageId}`);
    return EXIT.done;
  },
});

interface Change {
  readonly set: readonly FieldValue[];
  readonly unset: readonly string[];
  readonly body?: string | undefined;
}

/** Calls `use` with the record as it shall be; undefined: the person at the editor left it as it was. */
async function withRecord<T>(
  letter: DeadLetter,
  { set, unset, body }: Change,
  { shell }: CommandContext,
  use: (record: SourceRecord | undefined) => Promise<T>,
): Promise<T> {
  const { letterRecord, recordFrom } = await import("../../../run/deadletter-edit.js");
  if (body !== undefined) {
    const text = body === "-" ? await shell.stdin() : bodyFile(resolve(shell.cwd, body));
    return use(recordFrom(text, body === "-" ? "standard input" : body));
  }
  const record = () => letterRecord(letter);
  if (set.length > 0 || unset.length > 0) return use(editedRecord(record(), set, unset));
  const { [ORDER_COLUMN]: _, ...own } = record();
  const text = `${toJson(own)}\n`;
  return editText(text, shell, async (edited) =>
    use(edited.toString("utf8") === text ? undefined : recordFrom(edited, "what you wrote")),
  );
}

function bodyFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new ConfigError("BODY_UNREADABLE", `the file cannot be read: ${code}`, { place: path });
  }
}
