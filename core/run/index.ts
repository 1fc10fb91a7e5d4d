export { queuedOf } from "./account.js";
export {
  type Alarm,
  type AlarmMove,
  type AlarmReport,
  evaluateAlarms,
  type IdleThreshold,
  measureAlarms,
  noteAlarms,
} from "./alarms.js";
export { type ConnectionBudget, connectionBudgets, withBudgets } from "./budgets.js";
export { connectSink, connectSource, grantOwner, removeTmpDir } from "./connect.js";
export { editDeadLetter, recordFrom } from "./deadletter-edit.js";
export { type DeadLetter, type DeadLetterFilter, deadLettersOf, dropDeadLetters } from "./deadletters.js";
export { exitCodeOf } from "./exit.js";
export { type GrantStatus, grantStates } from "./grant-status.js";
export { type GrantOwner, Grants } from "./grants.js";
export { runError, unsettledStates } from "./history.js";
export { HeldLease, isAlive } from "./lease.js";
export { deadLetterQueue, leaseName, queueName } from "./names.js";
export { planFlow, previewFlow } from "./preview.js";
export { purgeQueue } from "./purge.js";
export { type RedriveOptions, type RedriveReport, redriveDeadLetters } from "./redrive.js";
export { countRefusals, type RefusalCount } from "./refusals.js";
export { runFlow } from "./run.js";
export { Scheduler } from "./scheduler.js";
export { type Streak, streakOf } from "./streak.js";
export * from "./types.js";
