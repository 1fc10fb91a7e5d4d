import type { Command } from "./command.js";
import { check } from "./commands/check.js";
import { connect } from "./commands/connect.js";
import { daemon } from "./commands/daemon.js";
import { deadLettersDrop } from "./commands/dead-letters-drop.js";
import { deadLettersEdit } from "./commands/dead-letters-edit.js";
import { deadLettersList } from "./commands/dead-letters-list.js";
import { deadLettersRedrive } from "./commands/dead-letters-redrive.js";
import { deadLettersShow } from "./commands/dead-letters-show.js";
import { discover } from "./commands/discover.js";
import { init } from "./commands/init.js";
import { plan } from "./commands/plan.js";
import { preview } from "./commands/preview.js";
import { query } from "./commands/query.js";
import { queueList } from "./commands/queue-list.js";
import { queuePeek } from "./commands/queue-peek.js";
import { queuePurge } from "./commands/queue-purge.js";
import { queueServe } from "./commands/queue-serve.js";
import { run } from "./commands/run.js";
import { runs } from "./commands/runs.js";
import { status } from "./commands/status.js";
import { validate } from "./commands/validate.js";

/** Every command, in the order of `sluice --help`: the way of a new user. */
export const COMMANDS: readonly Command[] = [
  init,
  validate,
  connect,
  check,
  discover,
  plan,
  preview,
  run,
  daemon,
  runs,
  status,
  queueList,
  queuePeek,
  queuePurge,
  queueServe,
  deadLettersList,
  deadLettersShow,
  deadLettersEdit,
  deadLettersRedrive,
  deadLettersDrop,
  query,
];

/** Commands that have commands below them. */
export const GROUPS: Readonly<Record<string, string>> = {
  queue: "look into the buffer between sources and sinks",
  "dead-letters": "records that were refused: look at them, correct them, send them again, drop them",
};
