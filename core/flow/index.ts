/** Flow files: YAML -> checked Flow -> Plan. */
export { compileFlow } from "./compile.js";
export { flowJsonSchema, projectJsonSchema } from "./json-schema.js";
export { type LoadOptions, loadProject } from "./load.js";
export { nearestName } from "./nearest.js";
export { connectorsPage, type Example, flowsPage } from "./pages.js";
export { formatProblem } from "./problem.js";
export { connectorReference, flowReference } from "./reference.js";
export { sourceNames, sourcePaths } from "./steps.js";
export { recordJson, recordLine } from "./stringify.js";
export * from "./types.js";
export { YamlFile } from "./yaml-file.js";
