/** flows/README.md and connectors/README.md: words kept by hand here, tables from the schemas. */
import { DIVISION_DIGITS } from "./decimal.js";
import { DEFAULT_PRECISION, DEFAULT_SCALE } from "./fit.js";
import { markdownTable } from "./markdown.js";
import { connectorReference, flowReference } from "./reference.js";
import { MAX_DEPTH } from "./stringify.js";
import type { Connectors } from "./types.js";

const GENERATED =
  "<!-- Made by `npm run docs` from the schemas in core/flow and connectors. Change those, not this file. -->";

const FLOWS = `# Flows

A flow is one YAML file in this folder: a source, filters, a field map, validation, and one or more sinks.
\`sluice.yaml\` beside the folder names the connections. Start with \`sluice init\`, check with \`sluice validate\`,
look with \`sluice preview <flow>\`, run with \`sluice run <flow>\`.

\`\`\`yaml
# yaml-language-server: $schema=../flow.schema.json
name: opportunities-to-lake
source: { connection: salesforce, stream: Opportunity }
filter:
  - { field: Amount, greaterThan: 1000 }
  - any:
      - { field: StageName, in: [Closed Won, Negotiation] }
      - { field: Owner.Name, startsWith: A }
map:
  - "*"
  - { drop: Description }
  - { from: Email, mask: { first: 4 } }
  - { from: Email, hash: { secret: "\${env:PEPPER}" }, to: email_key }
  - { from: [Amount, Probability], arithmetic: multiply, to: weighted }
validate:
  - { field: weighted, rule: notNegative }
errors: { maxRejected: 1%, onReject: deadLetter }
sinks:
  - { connection: lake, path: opportunities, format: parquet }
\`\`\`

The first line gives completion and checks in editors that know YAML schemas.`;

const MEANING = `## Secrets

\`\${env:NAME}\` and \`\${file:path}\` may stand in any text of a flow file or of sluice.yaml; a relative path starts at the
folder of that file, and one line break at the end of the file's content is left out. Under a key of type _secret_ the
value prints as \`[redacted]\` wherever it appears; under other keys (a host, a folder, a value to compare with) it is
opened and may be shown. \`$\${\` is a plain \`\${\`.

## What the steps mean

A record goes through \`filter\`, \`map\` and \`validate\`, in this order. It ends up mapped, filtered (left out) or rejected.
One that holds a key twice, at its top or further inside, is rejected before all that, since only the source knows which value
holds; its dead letter is the record as the source wrote it. A rejected record is dead-lettered, dropped, or ends the run, as
\`errors.onReject\` or the rule's \`onFail\` says; its reason names the rule and the value. Values of fields that the flow masks or
hashes never appear in reasons. \`errors.maxRejected\` sets how many may be rejected before the run fails with exit code 4
(unset: any number); everything else is loaded either way.

**Null and missing.** A missing field is null. Null makes \`notEquals\`, \`notIn\`, \`notContains\` and \`isNull\` true and every other
condition false; there is no third answer. Every mapped field stands in every record, as null where it has no value.
Mask, hash, truncate, arithmetic and type conversions give null for null; \`join\` leaves null out together with its
separator, and is null when all parts are. Of the rules only \`notNull\` refuses null. Key fields of an upsert are never
null: such a record is rejected.

**Paths.** \`Owner.Name\` is the field \`Name\` of the related record \`Owner\`, and null where \`Owner\` is. A path may also lead into
a json field: \`Address.city\`, \`Lines.0.sku\` (lists count from 0). A path through something that is no object is null.
\`"*"\` takes the fields of the stream and no paths; keys that the stream's schema does not know are left out.

**Wrong types.** A value that is not of its field's type is rejected, never guessed at. Only what loses nothing is done
silently: \`3.0\` in an integer field is 3; a number, true/false, a list or an object in a string field becomes its (JSON) text;
a timestamp becomes UTC. For anything more, say \`type:\`. A filter that meets a value of the wrong type rejects the record if
the answer depends on that value (\`any\` with another condition that holds does not); json fields promise no type, so there
a condition on another kind of value is simply false.

**Numbers.** Integers are exact within 64 bits, decimals exact whatever their digits; both are compared, added and written digit
by digit, never as floating point. A decimal field with precision and scale rejects what has too many digits before the point; digits
after the scale are kept, and sinks round them half up. Without declared precision: decimal(${DEFAULT_PRECISION},${DEFAULT_SCALE}).
Arithmetic goes from left to right and is exact; division keeps ${DIVISION_DIGITS} significant digits, rounded half up; division by
zero and results out of range are rejected. Integers give an integer (but for division), a double gives a double, all else
a decimal. Text is a number for \`type:\` and for rule \`numeric\` if it looks like \`-12.5\` or \`1e3\`, spaces around it allowed.

**Dates and times.** A timestamp is ISO 8601 with \`Z\`, an offset (\`+02:00\`, \`+0000\`) or none (then UTC), and is written in UTC with 3 to
6 digits of the second; more digits are cut off. A date alone is midnight UTC. \`type: date\` takes the UTC day of a timestamp.
Years are 0001 to 9999; days and times that do not exist (2026-02-30, 24:00) are rejected, and so are numbers.

**Lists and objects** are json. They are kept as they are, may be filtered by path, and become JSON text in a text. More than
${MAX_DEPTH} levels are rejected.

**Characters** are Unicode code points: \`truncate\`, \`mask\` and \`maxLength\` never count or cut half of one. A record with a lone
surrogate in a mapped field, which UTF-8 cannot hold, is rejected and never mended; in a field that is not mapped it does not
matter, and in the JSON text of a list or object it stands as its escape (\`\\ud83d\`). Masking and hashing anything but text
works on its text: \`12.5\`, \`true\`, \`{"a":1}\`. Texts are compared by code point, upper and lower case differ.

**Names.** A flow's fields are spelt as the source spells them. Two mapped fields may not differ only in case, and none may begin with
\`_sluice_\`. \`"*"\` stands first; a later entry for the same name takes over its place in the order of columns.`;

const CONNECTORS = `# Connectors

One folder or file per outside system. A source reads, a sink writes; the line in \`index.ts\` is what makes a connector known to
flows, \`sluice validate\`, the editor schema and this page. Every text may hold \`\${env:NAME}\` or \`\${file:path}\`; keys of type
_secret_ are redacted wherever they would be shown. Durations read \`10s\`, \`5m\`, \`1h\`, \`7d\`; sizes \`128MB\` or \`128MiB\`.

Every source connection may have a \`budget\`, such as \`budget: { reserve: 20% }\`: the share of each limit of its account that is left to
other applications. A request that the budget has nothing left for waits; where that would take more than 15 minutes, as with
a daily limit, the run is parked: it ends with the time to come back, and the next one goes on where it stopped.`;

/** A flow file of the folder, for the table of examples. */
export interface Example {
  readonly file: string;
  readonly description: string;
}

function exampleTable(examples: readonly Example[]): string {
  const rows = examples.map(({ file, description }) => [`[${file}](${file})`, description]);
  return markdownTable(["file", "what it does"], rows);
}

export function flowsPage(connectors: Connectors, examples: readonly Example[] = []): string {
  const table = examples.length === 0 ? [] : ["## Examples in this folder", exampleTable(examples)];
  return `${[GENERATED, FLOWS, ...table, MEANING, flowReference(connectors)].join("\n\n")}\n`;
}

export function connectorsPage(connectors: Connectors): string {
  return `${[GENERATED, CONNECTORS, connectorReference(connectors)].join("\n\n")}\n`;
}
