import { describe, expect, test } from "vitest";
import { flowText, lint, SLUICE_YAML } from "./project.js";

interface Case {
  readonly what: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly expected: readonly string[];
}

const CASES: readonly Case[] = [
  {
    what: "names that cannot be part of a queue's name",
    files: {
      "flows/a.yaml": flowText("").replace("deals", "a--b"),
      "flows/b.yaml": flowText("").replace("deals", "Deals"),
      "flows/c.yaml": flowText("").replace("deals", "x".repeat(41)),
    },
    expected: [
      `flows/a.yaml:1:7 name: expected a name of at most 40 lower-case letters, digits, "-" and "_", beginning with a letter or digit, never "--", found "a--b"`,
      `flows/b.yaml:1:7 name: expected a name of at most 40 lower-case letters, digits, "-" and "_", beginning with a letter or digit, never "--", found "Deals"`,
      `flows/c.yaml:1:7 name: expected a name of at most 40 lower-case letters, digits, "-" and "_", beginning with a letter or digit, never "--", found "${"x".repeat(41)}"`,
    ],
  },
  {
    what: "a bracket that is not closed",
    files: { "flows/a.yaml": "name: deals\nsource: {connection: crm, stream: x\nsinks: []\n" },
    expected: ["flows/a.yaml:3:1: expected another indentation, or a closing bracket before this line"],
  },
  {
    what: "a colon inside unquoted text",
    files: { "flows/a.yaml": "name: deals\ndescription: a: b\n" },
    expected: [
      'flows/a.yaml:2:14: expected one "key: value" here: quote a text that holds ": ", or align the lines',
    ],
  },
  {
    what: "a tab as indentation",
    files: { "flows/a.yaml": "name: deals\nsource:\n\tconnection: crm\n" },
    expected: ["flows/a.yaml:3:1: expected spaces: YAML allows no tabs for indentation"],
  },
  {
    what: "a key that stands twice",
    files: { "flows/a.yaml": flowText("map: ['*']\nmap: ['*']") },
    expected: ["flows/a.yaml:4:1: the key map stands here a second time; keep one of the two"],
  },
  {
    what: "two documents in one file",
    files: { "flows/a.yaml": "name: deals\n---\nname: b\n" },
    expected: ['flows/a.yaml:2:1: expected one document: remove the "---" and what belongs to another file'],
  },
  {
    what: "a list in place of a flow",
    files: { "flows/a.yaml": "- a\n- b\n" },
    expected: ["flows/a.yaml:1:1: expected a flow: name, source, sinks, ..., found a list of 2"],
  },
  {
    what: "an empty file",
    files: { "flows/a.yaml": "" },
    expected: ["flows/a.yaml:1:1: expected a flow: name, source, sinks, ..., found nothing"],
  },
  {
    what: "a text in place of a flow",
    files: { "flows/a.yaml": "hello" },
    expected: ['flows/a.yaml:1:1: expected a flow: name, source, sinks, ..., found "hello"'],
  },
  {
    what: "no UTF-8",
    files: { "flows/a.yaml": new Uint8Array([0xff, 0xfe, 0x00]) },
    expected: ["flows/a.yaml:1:1: cannot be read: it is not UTF-8 text"],
  },
  {
    what: "an alias without anchor",
    files: { "flows/a.yaml": flowText("map: *nope") },
    expected: ["flows/a.yaml:3:6 map: there is no anchor &nope before this alias"],
  },
  {
    what: "an alias inside its own anchor",
    files: { "flows/a.yaml": flowText("map: &m ['*', *m]") },
    expected: ["flows/a.yaml:3:15 map[1]: the alias *m contains itself"],
  },
  {
    what: "__proto__ as a key",
    files: { "flows/a.yaml": flowText("__proto__: {a: 1}") },
    expected: ["flows/a.yaml:3:1 __proto__: this name cannot be used as a key"],
  },
  {
    what: "a list as a key",
    files: { "flows/a.yaml": flowText("? [a]\n: 1") },
    expected: ["flows/a.yaml:3:3: expected a plain text as key, found a list or a mapping"],
  },
  {
    what: "an unknown tag",
    files: { "flows/a.yaml": flowText("description: !foo x") },
    expected: ["flows/a.yaml:3:14: cannot be read as YAML: Unresolved tag: !foo"],
  },
  {
    what: "unknown keys",
    files: { "flows/a.yaml": flowText("fliter: []\nErrors: {}\nzzz: 1") },
    expected: [
      'flows/a.yaml:3:1 fliter: unknown key "fliter" (did you mean "filter"?)',
      'flows/a.yaml:4:1 Errors: unknown key "Errors" (did you mean "errors"?)',
      'flows/a.yaml:5:1 zzz: unknown key "zzz" (valid: name, description, source, trigger, filter, map, validate, aggregate, errors, sinks)',
    ],
  },
  {
    what: "missing keys",
    files: { "flows/a.yaml": "name: deals\n" },
    expected: [
      "flows/a.yaml:1:1 source: missing: expected a source such as { connection: salesforce, stream: Opportunity }",
      "flows/a.yaml:1:1 sinks: missing: expected a list of sinks",
    ],
  },
  {
    what: "a missing key in a section",
    files: {
      "flows/a.yaml": "name: deals\nsource:\n  connection: crm\nsinks: [{ connection: lake, path: x }]\n",
    },
    expected: ["flows/a.yaml:2:1 source.stream: missing: expected the name of a stream"],
  },
  {
    what: "keys without value",
    files: { "flows/a.yaml": "name:\nsource:\nsinks:\n" },
    expected: [
      "flows/a.yaml:1:6 name: expected a text, found nothing",
      "flows/a.yaml:2:8 source: expected a source such as { connection: salesforce, stream: Opportunity }, found nothing",
      "flows/a.yaml:3:7 sinks: expected a list of sinks, found nothing",
    ],
  },
  {
    what: "wrong types",
    files: {
      "flows/a.yaml":
        "name: 5\nsource: crm\nfilter: x\nmap: { from: a }\nvalidate: [1]\nerrors: 1%\ntrigger: daily\nsinks: lake\n",
    },
    expected: [
      "flows/a.yaml:1:7 name: expected a text, found the number 5",
      'flows/a.yaml:2:9 source: expected a source such as { connection: salesforce, stream: Opportunity }, found "crm"',
      'flows/a.yaml:3:9 filter: expected a list of conditions, found "x"',
      'flows/a.yaml:4:6 map: expected a list of map entries such as ["*"], found a mapping of keys',
      "flows/a.yaml:5:12 validate[0]: expected a rule such as { field: amount, rule: notNegative }, found the number 1",
      'flows/a.yaml:6:9 errors: expected settings such as { maxRejected: 1%, onReject: deadLetter }, found "1%"',
      'flows/a.yaml:7:10 trigger: expected a trigger such as { type: schedule, cron: "0 * * * *" }, found "daily"',
      'flows/a.yaml:8:8 sinks: expected a list of sinks, found "lake"',
    ],
  },
  {
    what: "the source section",
    files: {
      "flows/a.yaml":
        "name: deals\nsource: { connection: crm, stream: '', mode: ful, start: yesterday, lookback: 5, cursor: [a], options: { deletd: x } }\nsinks: [{ connection: lake, path: x }]\n",
    },
    expected: [
      "flows/a.yaml:2:36 source.stream: expected the name of a stream, found an empty text",
      'flows/a.yaml:2:46 source.mode: expected one of incremental, full, found "ful" (did you mean "full"?)',
      'flows/a.yaml:2:58 source.start: expected a timestamp such as 2024-01-01T00:00:00Z, found "yesterday"',
      "flows/a.yaml:2:79 source.lookback: expected a duration such as 10s, 5m, 1h or 7d, found the number 5",
      "flows/a.yaml:2:90 source.cursor: expected the name of a field, found a list of 1",
    ],
  },
  {
    what: "source options",
    files: {
      "flows/a.yaml":
        "name: deals\nsource: { connection: crm, stream: x, options: { deletd: include, deleted: never } }\nsinks: [{ connection: lake, path: x }]\n",
    },
    expected: [
      'flows/a.yaml:2:50 source.options.deletd: unknown key "deletd" (did you mean "deleted"?)',
      'flows/a.yaml:2:76 source.options.deleted: expected one of include, exclude, found "never"',
    ],
  },
  {
    what: "an unknown stream",
    files: {
      "flows/a.yaml":
        "name: deals\nsource: { connection: desk, stream: ticket }\nsinks: [{ connection: lake, path: x }]\n",
    },
    expected: [
      'flows/a.yaml:2:37 source.stream: the connector desk has no stream "ticket" (did you mean "tickets"?)',
    ],
  },
  {
    what: "unknown connections, and sources in place of sinks",
    files: {
      "flows/a.yaml":
        "name: deals\nsource: { connection: lake, stream: x }\nsinks: [{ connection: crm }, { connection: lak, path: x }]\n",
    },
    expected: [
      'flows/a.yaml:2:23 source.connection: expected a source: "lake" uses the connector files, which is a sink (sources: crm, desk)',
      'flows/a.yaml:3:23 sinks[0].connection: expected a sink: "crm" uses the connector crm, which is a source (sinks: lake, warehouse)',
      'flows/a.yaml:3:44 sinks[1].connection: there is no connection "lak" in sluice.yaml (did you mean "lake"?)',
    ],
  },
  {
    what: "sinks",
    files: {
      "flows/a.yaml": flowText(
        "",
        "sinks:\n  - { connection: lake }\n  - { connection: lake, path: 5, formatt: csv, fileSize: 12 }\n  - { connection: lake, path: x, write: upsert, key: [id] }\n  - { connection: lake, path: x, write: replace }\n  - { connection: warehouse, table: t, write: upsert }\n  - { connection: warehouse, table: t, key: [id] }\n  - { connection: warehouse, table: t, where: { a: [b] } }\n",
      ),
    },
    expected: [
      "flows/a.yaml:4:5 sinks[0].path: missing: expected a text (Folder below the connection's)",
      "flows/a.yaml:5:31 sinks[1].path: expected a text, found the number 5",
      'flows/a.yaml:5:34 sinks[1].formatt: unknown key "formatt" (did you mean "format"?)',
      "flows/a.yaml:5:58 sinks[1].fileSize: expected a size such as 64KiB or 128MB, found the number 12",
      "flows/a.yaml:6:41 sinks[2].write: the connector files cannot upsert: expected one of append, replace",
      "flows/a.yaml:7:41 sinks[3].write: write: replace needs source.mode: full, since it swaps the whole content for what one run read",
      "flows/a.yaml:8:5 sinks[4].key: missing: expected the mapped fields that identify a row, such as [id], for write: upsert",
      'flows/a.yaml:9:45 sinks[5].key: expected "key" only with write: upsert, found write: append',
      "flows/a.yaml:10:40 sinks[6].where: where is not supported yet in this version: use filter, or one flow per sink",
    ],
  },
  {
    what: "filters",
    files: {
      "flows/a.yaml": flowText(
        "filter:\n  - { field: A, greaterThen: 1 }\n  - { field: A }\n  - { greaterThan: 1 }\n  - { field: A, in: x, equals: 2 }\n  - { field: A, greaterThan: 1, lessThan: 2 }\n  - { field: A, equals: null }\n  - { field: A, between: [1] }\n  - { any: { field: A, equals: 1 } }\n  - { any: [{ field: A, eq: 1 }] }\n  - { any: [], field: A }\n  - { not: [] }\n  - Amount > 5\n  - { field: A, isNull: yes }\n  - { any: [{ field: A, equals: 1 }], all: [{ field: A, equals: 1 }] }",
      ),
    },
    expected: [
      'flows/a.yaml:4:17 filter[0].greaterThen: unknown key "greaterThen" (did you mean "greaterThan"?)',
      'flows/a.yaml:5:7 filter[1].field: expected one operator beside "field" (equals, notEquals, greaterThan, greaterThanOrEquals, lessThan, lessThanOrEquals, between, in, notIn, contains, notContains, startsWith, endsWith, isNull, isNotNull)',
      'flows/a.yaml:6:7 filter[2].greaterThan: expected a condition such as { field: Amount, greaterThan: 1000 }: "field" is missing',
      'flows/a.yaml:7:21 filter[3].in: expected a list of values, found "x"',
      'flows/a.yaml:8:33 filter[4].lessThan: expected one operator in a condition: "greaterThan" is already there, write "lessThan" as an entry of its own',
      "flows/a.yaml:9:25 filter[5].equals: expected a text, a number, true or false (for null write isNull: true), found nothing",
      "flows/a.yaml:10:26 filter[6].between: expected a list of two values: [lowest, highest], found a list of 1",
      "flows/a.yaml:11:12 filter[7].any: expected a list of conditions, found a mapping of keys",
      'flows/a.yaml:12:25 filter[8].any[0].eq: unknown key "eq" (valid: field, equals, notEquals, greaterThan, greaterThanOrEquals, lessThan, lessThanOrEquals, between, in, notIn, contains, notContains, startsWith, endsWith, isNull, isNotNull, all, any, not)',
      "flows/a.yaml:13:12 filter[9].any: expected at least one condition, found an empty list",
      'flows/a.yaml:13:16 filter[9].field: expected "any" alone in its entry: write "field" as an entry of its own',
      "flows/a.yaml:14:12 filter[10].not: expected a condition such as { field: Amount, greaterThan: 1000 }, found an empty list",
      'flows/a.yaml:15:5 filter[11]: expected a condition such as { field: Amount, greaterThan: 1000 }, found "Amount > 5"',
      'flows/a.yaml:16:25 filter[12].isNull: expected true or false, found "yes"',
      'flows/a.yaml:17:7 filter[13].any: expected "all" alone in its entry: write "any" as an entry of its own',
    ],
  },
  {
    what: "map entries",
    files: {
      "flows/a.yaml": flowText(
        "map:\n  - { from: A, tou: b }\n  - '*'\n  - all\n  - 5\n  - { to: x }\n  - { from: [A, B], to: x }\n  - { from: [A], join: '', to: x }\n  - { from: A, join: '' }\n  - { from: A, mask: { frist: 4 } }\n  - { from: A, mask: { first: 4, last: 2 } }\n  - { from: A, mask: some }\n  - { from: A, hash: true }\n  - { from: A, hash: {} }\n  - { from: A, truncate: 0 }\n  - { from: [A, B], arithmetic: plus, to: x }\n  - { from: A, type: int }\n  - { value: x }\n  - { value: [1], to: x }\n  - { value: x, mask: all, to: y }\n  - { drop: A, to: y }\n  - { from: Owner.Name }\n  - { from: A, mask: all, type: integer }\n  - { from: A, mask: all, hash: { secret: x } }",
      ),
    },
    expected: [
      'flows/a.yaml:4:16 map[0].tou: unknown key "tou" (did you mean "to"?)',
      'flows/a.yaml:5:5 map[1]: expected "*" once and as the first entry: later entries override what it maps',
      'flows/a.yaml:6:5 map[2]: expected "*" or an entry such as { from: Id, to: opportunity_id }, found "all"',
      'flows/a.yaml:7:5 map[3]: expected "*" or an entry such as { from: Id, to: opportunity_id }, found the number 5',
      'flows/a.yaml:8:5 map[4].from: expected one of "from", "value" and "drop": every entry says where its value comes from',
      'flows/a.yaml:9:7 map[5].from: expected "join" or "arithmetic" beside a list of fields',
      'flows/a.yaml:10:13 map[6].from: expected at least two fields: for one field write "from: Name", found a list of 1',
      'flows/a.yaml:11:16 map[7].join: expected a list of fields in "from" for "join"',
      'flows/a.yaml:12:24 map[8].mask.frist: unknown key "frist" (did you mean "first"?)',
      "flows/a.yaml:13:16 map[9].mask: expected either first or last",
      'flows/a.yaml:14:22 map[10].mask: expected all, { first: 4 } or { last: 4 }, found "some"',
      `flows/a.yaml:15:22 map[11].hash: expected a hash such as { secret: "\${env:PEPPER}" }, found true`,
      `flows/a.yaml:16:16 map[12].hash.secret: missing: expected a secret (Key of the hash, best as "\${env:NAME}")`,
      "flows/a.yaml:17:26 map[13].truncate: expected a number of characters of at least 1, found the number 0",
      'flows/a.yaml:18:33 map[14].arithmetic: expected one of add, subtract, multiply, divide, found "plus"',
      'flows/a.yaml:19:22 map[15].type: expected one of string, integer, decimal, double, boolean, date, timestamp, json, found "int" (did you mean "integer"?)',
      'flows/a.yaml:20:5 map[16].to: expected "to": the name of the constant in the sink',
      "flows/a.yaml:21:14 map[17].value: expected a text, a number, true or false, found a list of 1",
      'flows/a.yaml:22:17 map[18].mask: expected only "to" and "type" beside "value": a constant takes no "mask"',
      'flows/a.yaml:23:16 map[19].to: expected "drop" alone in its entry: write "to" in an entry of its own',
      'flows/a.yaml:24:5 map[20].to: expected "to": a path needs a name in the sink',
      'flows/a.yaml:25:27 map[21].type: expected no other type than string beside "mask", which gives a text',
      'flows/a.yaml:26:27 map[22].hash: expected either "mask" or "hash", not both',
    ],
  },
  {
    what: "rules and errors",
    files: {
      "flows/a.yaml": flowText(
        "validate:\n  - { field: a, rule: notNul }\n  - { rule: notNull }\n  - { field: a, rule: in }\n  - { field: a, rule: matches, pattern: '(' }\n  - { field: a, rule: maxLength, values: [1] }\n  - { field: a, rule: notNull, onFail: deadletter }\nerrors: { maxRejected: 1.5, onReject: x }",
      ),
    },
    expected: [
      'flows/a.yaml:4:23 validate[0].rule: expected one of notNull, notZero, notNegative, numeric, in, matches, maxLength, found "notNul" (did you mean "notNull"?)',
      "flows/a.yaml:5:5 validate[1].field: missing: expected the name of a field",
      'flows/a.yaml:6:17 validate[2].rule: expected "values" beside rule in, such as values: [Open, Closed]',
      "flows/a.yaml:7:32 validate[3].pattern: expected a regular expression: Invalid regular expression: /(/u: Unterminated group",
      'flows/a.yaml:8:34 validate[4].values: expected no "values" for rule maxLength',
      'flows/a.yaml:9:40 validate[5].onFail: expected one of deadLetter, drop, failRun, found "deadletter" (did you mean "deadLetter"?)',
      "flows/a.yaml:10:24 errors.maxRejected: expected a count such as 100 or a share such as 1%, found the number 1.5",
      'flows/a.yaml:10:39 errors.onReject: expected one of deadLetter, drop, failRun, found "x"',
    ],
  },
  {
    what: "an unknown trigger",
    files: { "flows/a.yaml": flowText("trigger: { type: schedul }") },
    expected: [
      'flows/a.yaml:3:18 trigger.type: expected one of onDemand, schedule, event, after, found "schedul"',
    ],
  },
  {
    what: "an impossible schedule",
    files: {
      "flows/a.yaml": flowText(
        "trigger: { type: schedule, cron: '61 * * * *', timezone: Europe/Berln, overlap: no, every: 5 }",
      ),
    },
    expected: [
      'flows/a.yaml:3:34 trigger.cron: expected a cron expression of five fields (minute hour day month weekday) such as "0 * * * *", found "61 * * * *"',
      'flows/a.yaml:3:58 trigger.timezone: expected a time zone such as Europe/Berlin or UTC, found "Europe/Berln"',
      'flows/a.yaml:3:81 trigger.overlap: expected one of skip, queue, found "no"',
      "flows/a.yaml:3:92 trigger.every: expected a duration such as 10s, 5m, 1h or 7d, found the number 5",
    ],
  },
  {
    what: "a schedule without a time",
    files: { "flows/a.yaml": flowText("trigger: { type: schedule }") },
    expected: ['flows/a.yaml:3:12 trigger.type: expected "cron" or "every"'],
  },
  {
    what: "a trigger without type",
    files: { "flows/a.yaml": flowText("trigger: { cron: '* * * * *' }") },
    expected: ["flows/a.yaml:3:1 trigger.type: missing: expected one of onDemand, schedule, event, after"],
  },
  {
    what: "a trigger after an unknown flow",
    files: { "flows/a.yaml": flowText("trigger: { type: after, flow: deal }") },
    expected: ['flows/a.yaml:3:31 trigger.flow: there is no flow "deal" (did you mean "deals"?)'],
  },
  {
    what: "a schedule with two times",
    files: { "flows/a.yaml": flowText("trigger: { type: schedule, cron: '* * * * *', every: 5m }") },
    expected: ['flows/a.yaml:3:47 trigger.every: expected either "cron" or "every", not both'],
  },
  {
    what: "flows that wait for each other",
    files: {
      "flows/a.yaml": flowText("trigger: { type: after, flow: b }"),
      "flows/b.yaml": flowText("trigger: { type: after, flow: deals }").replace("deals", "b"),
    },
    expected: ["flows/a.yaml:3:31 trigger.flow: the flows wait for each other: deals after b after deals"],
  },
  {
    what: "aggregate, for later",
    files: { "flows/a.yaml": flowText("aggregate: { by: [a], measures: { n: count, s: { sum: x } } }") },
    expected: [
      "flows/a.yaml:3:1 aggregate: aggregate is not supported yet in this version: land the records and aggregate them in the sink",
    ],
  },
  {
    what: "two flows of one name, one of them broken besides",
    files: { "flows/a.yaml": flowText(""), "flows/b.yml": "# b\n" + flowText("bogus: 1") },
    expected: [
      'flows/a.yaml:1:7 name: the name "deals" is also used by flows/b.yml:2:7: names are unique',
      'flows/b.yml:2:7 name: the name "deals" is also used by flows/a.yaml:1:7: names are unique',
      'flows/b.yml:4:1 bogus: unknown key "bogus" (valid: name, description, source, trigger, filter, map, validate, aggregate, errors, sinks)',
    ],
  },
  {
    what: "secrets that cannot be had",
    files: {
      "flows/a.yaml": flowText(
        `description: >\n  text \${env:NOPE} \${env:1X} \${vault:x}\nmap:\n  - { from: A, hash: { secret: '\${file:nope.key}' } }`,
      ),
    },
    expected: [
      "flows/a.yaml:4:8 description: the environment variable NOPE is not set (set it before starting sluice, e.g. export NOPE=...)",
      `flows/a.yaml:4:20 description: expected the name of an environment variable in \${env:...}, found "1X"`,
      `flows/a.yaml:4:30 description: expected \${env:NAME} or \${file:path}, found "\${vault:x}" (write $\${ for a plain \${)`,
      "flows/a.yaml:6:33 map[0].hash.secret: the file nope.key cannot be read: there is no such file (looked at <project>/flows/nope.key)",
    ],
  },
  {
    what: "sluice.yaml: unknown keys and wrong values",
    files: {
      "sluice.yaml":
        "conections: {}\nbuffer: { type: sqs, messageSize: 2MiB, visibilityTimeout: 13h, alarms: { a: 1 } }\nstore: { type: postgres }\nserver: { port: 99999 }\n",
    },
    expected: [
      'sluice.yaml:1:1 conections: unknown key "conections" (did you mean "connections"?)',
      "sluice.yaml:2:17 buffer.type: buffer.type sqs is not supported yet in this version: use durable",
      'sluice.yaml:2:35 buffer.messageSize: expected a size of at least 1KiB and of at most 1MiB, found "2MiB"',
      'sluice.yaml:2:60 buffer.visibilityTimeout: expected a duration of at least 1s and of at most 12h, found "13h"',
      "sluice.yaml:2:73 buffer.alarms: expected a list of alarms such as [{ queue: '*', oldest: 1h }], found a mapping of keys",
      "sluice.yaml:3:16 store.type: store.type postgres is not supported yet in this version: use durable",
      "sluice.yaml:4:17 server.port: expected an integer from 0 to 65535, found the number 99999",
    ],
  },
  {
    what: "sluice.yaml: alarms",
    files: {
      "sluice.yaml": `buffer:
  alarms:
    - { queue: "*" }
    - { queue: "a b", messages: 0 }
    - { oldest: 1h }
    - { queue: "*", oldst: 1h }
    - { queue: "*", oldest: 60, bytes: 1.5, deadLetters: some }
    - "*"
`,
    },
    expected: [
      'sluice.yaml:3:9 buffer.alarms[0].queue: expected a threshold beside "queue": one or more of messages, records, bytes, oldest, deadLetters',
      'sluice.yaml:4:16 buffer.alarms[1].queue: expected a pattern of queue names, such as *, orders--* or *--dead-letters, found "a b"',
      "sluice.yaml:4:33 buffer.alarms[1].messages: expected a number of messages of at least 1, found the number 0",
      "sluice.yaml:5:7 buffer.alarms[2].queue: missing: expected a pattern of queue names, such as *, orders--* or *--dead-letters",
      'sluice.yaml:6:21 buffer.alarms[3].oldst: unknown key "oldst" (did you mean "oldest"?)',
      "sluice.yaml:7:29 buffer.alarms[4].oldest: expected a duration such as 10s, 5m, 1h or 7d, found the number 60",
      "sluice.yaml:7:40 buffer.alarms[4].bytes: expected a size such as 64KiB or 128MB, found the number 1.5",
      'sluice.yaml:7:58 buffer.alarms[4].deadLetters: expected a number of dead letters of at least 1, found "some"',
      `sluice.yaml:8:7 buffer.alarms[5]: expected an alarm such as { queue: '*', oldest: 1h }, found "*"`,
    ],
  },
  {
    what: "sluice.yaml: wrong types",
    files: { "sluice.yaml": "connections: [a]\ndataDir: 5\n" },
    expected: [
      "sluice.yaml:1:14 connections: expected connections by name, found a list of 1",
      "sluice.yaml:2:10 dataDir: expected a folder, found the number 5",
    ],
  },
  {
    what: "sluice.yaml that is no YAML does not blame the flows",
    files: { "sluice.yaml": "connections: {a: \n", "flows/a.yaml": flowText("") },
    expected: ["sluice.yaml:1:18: expected another indentation, or a closing bracket before this line"],
  },
  {
    what: "sluice.yaml: parts for later",
    files: {
      "sluice.yaml": SLUICE_YAML + "buffer: { type: sqs }\nstore: { type: postgres }\nflows: nowhere\n",
    },
    expected: [
      "sluice.yaml:6:17 buffer.type: buffer.type sqs is not supported yet in this version: use durable",
      "sluice.yaml:7:16 store.type: store.type postgres is not supported yet in this version: use durable",
      "sluice.yaml:8:8 flows: there is no folder <project>/nowhere",
    ],
  },
  {
    what: "sluice.yaml: connections, and flows that use broken ones",
    files: {
      "sluice.yaml": `connections:\n  Bad Name: { connector: files, path: x }\n  a: {}\n  b: { connector: fils, path: x }\n  c: { connector: files, pth: x }\n  d: { connector: crm, instanceUrl: 'http://x.example', auth: { type: tokn } }\n  e: { connector: crm, instanceUrl: 'https://x.example', auth: { type: jwt, username: u }, pageSize: 5000, timeout: 5 }\n  f: files\n  g: { connector: crm, instanceUrl: '\${env:SECRET_URL}', auth: { type: token, accessToken: '' } }\n`,
      "flows/a.yaml": flowText("", "sinks: [{ connection: c, path: x }, { connection: zz, path: y }]"),
    },
    expected: [
      'sluice.yaml:2:3 connections["Bad Name"]: expected a name of at most 30 lower-case letters, digits, "-" and "_", beginning with a letter or digit, never "--", found "Bad Name"',
      "sluice.yaml:3:3 connections.a.connector: missing: expected the name of a connector",
      'sluice.yaml:4:19 connections.b.connector: there is no connector "fils" (did you mean "files"?)',
      'sluice.yaml:5:3 connections.c.path: missing: expected a text (is "pth" meant to be "path"?)',
      'sluice.yaml:5:26 connections.c.pth: unknown key "pth" (did you mean "path"?)',
      'sluice.yaml:6:37 connections.d.instanceUrl: expected a URL that starts with https:// (plain http is allowed to this machine only), found "http://x.example"',
      'sluice.yaml:6:71 connections.d.auth.type: expected one of token, jwt, found "tokn"',
      "sluice.yaml:7:58 connections.e.auth.privateKey: missing: expected a secret (Key)",
      "sluice.yaml:7:102 connections.e.pageSize: expected an integer from 1 to 2000, found the number 5000",
      "sluice.yaml:7:117 connections.e.timeout: expected a duration such as 10s, 5m, 1h or 7d, found the number 5",
      'sluice.yaml:8:6 connections.f: expected a connection such as { connector: folder, path: out }, found "files"',
      "sluice.yaml:9:37 connections.g.instanceUrl: expected a URL such as https://host.example, found a secret ([redacted])",
      "sluice.yaml:9:92 connections.g.auth.accessToken: expected a secret that is not empty, found an empty text",
      'flows/a.yaml:2:23 source.connection: there is no connection "crm" in sluice.yaml (sluice.yaml has no source connection)',
      'flows/a.yaml:3:23 sinks[0].connection: the connection "c" has a problem of its own: see sluice.yaml:5:3',
      'flows/a.yaml:3:51 sinks[1].connection: there is no connection "zz" in sluice.yaml (sluice.yaml has no sink connection)',
    ],
  },
];

describe("bad input: one clear sentence each, at the line and column of the mistake", () => {
  test.each(CASES)("$what", ({ files, expected }) => {
    expect(lint(files, { SECRET_URL: "hunter2" })).toEqual(expected);
  });
});
