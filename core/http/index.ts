export * from "./authenticator.js";
export * from "./client.js";
export * from "./flight.js";
export { parseJson } from "./json.js";
export * from "./status.js";
