export { KeptAnswers } from "./kept-answers.js";
export { type EnvironmentOptions, memoryEnvironment, openEnvironment } from "./open.js";
export { type SealedText, TokenCipher } from "./token-cipher.js";
export { TOKEN_KEY_VARIABLE } from "./token-key.js";
