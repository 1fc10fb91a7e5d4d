import { ConfigError } from "../contracts/index.js";
import type { AccessKey } from "../queue/wire/index.js";

export const KEY_ID = "SLUICE_SQS_ACCESS_KEY_ID";
export const SECRET = "SLUICE_SQS_SECRET_ACCESS_KEY";

/** The key pair that callers of the SQS endpoint must sign with; none: the environment names none. */
export function accessKeys(env: Readonly<Record<string, string | undefined>>): readonly AccessKey[] {
  const accessKeyId = env[KEY_ID] ?? "";
  const secretAccessKey = env[SECRET] ?? "";
  if (accessKeyId === "" && secretAccessKey === "") return [];
  if (accessKeyId === "" || secretAccessKey === "")
    throw new ConfigError("SQS_KEY_INCOMPLETE", `${accessKeyId === "" ? KEY_ID : SECRET} is not set.`, {
      place: "environment",
      fix: `Set ${KEY_ID} and ${SECRET}, or neither.`,
    });
  return [{ accessKeyId, secretAccessKey }];
}
