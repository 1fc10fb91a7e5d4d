/** Flow files: YAML -> checked Flow -> Plan. */
export { compileFlow } from "./compile.js";
export { type LoadOptions, loadProject } from "./load.js";
export { nearestName } from "./nearest.js";
export { formatProblem } from "./problem.js";
export { sourceNames, sourcePaths } from "./steps.js";
export * from "./types.js";
