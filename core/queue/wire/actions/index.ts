import type { Action } from "../action.js";
import { moveTasks } from "./move-tasks.js";
import { permissions } from "./permissions.js";
import { queueActions } from "./queues.js";
import { receives } from "./receives.js";
import { sends } from "./sends.js";

/** Every action of API version 2012-11-05, by name, behind both protocols. */
export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [...sends, ...receives, ...queueActions, ...moveTasks, ...permissions].map((action) => [
    action.name,
    action,
  ]),
);
