export { type EnvironmentOptions, memoryEnvironment, openEnvironment } from "./open.js";
