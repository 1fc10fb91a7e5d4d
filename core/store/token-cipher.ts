import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { ConfigError, type Secret } from "../contracts/index.js";
import { TOKEN_KEY_VARIABLE, type TokenKey, tokenKey, tokenKeyFile } from "./token-key.js";

/** Bytes of a nonce of AES-GCM, of its tag, and of what a passphrase is stretched with. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 16;

/** An encrypted text as it is stored. All parts are base64. */
export interface SealedText {
  /** Tells a wrong key from damaged data without giving anything of the key away. */
  readonly keyId: string;
  readonly salt: string;
  /** nonce | tag | ciphertext. */
  readonly box: string;
}

/**
 * Encrypts texts with AES-256-GCM under the key of a data directory. The name a text is stored under is bound to it as
 * additional data: moved to another name it no longer opens. Nonces are random: at 96 bits, and a write per refresh, they
 * do not meet.
 */
export class TokenCipher {
  readonly #dataDir: string;
  readonly #given: Secret | undefined;
  #key: TokenKey | undefined;
  /** One for all this process writes: stretching a passphrase takes its time. */
  readonly #salt = randomBytes(SALT_BYTES);

  /** `given`: the value of SLUICE_TOKEN_KEY, where it is set. Nothing is read or made before it is needed. */
  constructor(dataDir: string, given: Secret | undefined) {
    this.#dataDir = dataDir;
    this.#given = given;
  }

  /** Makes sure that `seal` will work: before an account is asked for what must be stored. */
  async prepare(name: string): Promise<void> {
    await this.#sealingKey(name);
  }

  async #sealingKey(name: string): Promise<Buffer> {
    this.#key ??= tokenKey(this.#dataDir, this.#given, true);
    if (this.#key === undefined) throw this.#wrong(name, "there is no key");
    return this.#key.bytes(this.#salt);
  }

  /** Makes the key file where there is neither a variable nor a file. */
  async seal(name: string, text: string): Promise<SealedText> {
    const key = await this.#sealingKey(name);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(boundTo(name));
    const hidden = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return {
      keyId: keyId(key),
      salt: this.#salt.toString("base64"),
      box: Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString("base64"),
    };
  }

  /** ConfigError TOKEN_KEY_WRONG for another key than it was sealed with, TOKEN_DAMAGED for a changed or moved text. */
  async open(name: string, sealed: SealedText): Promise<string> {
    this.#key ??= tokenKey(this.#dataDir, this.#given, false);
    if (this.#key === undefined) throw this.#wrong(name, `${tokenKeyFile(this.#dataDir)} is missing`);
    const key = await this.#key.bytes(Buffer.from(sealed.salt, "base64"));
    if (keyId(key) !== sealed.keyId) throw this.#wrong(name, "they were encrypted with another key");
    const box = Buffer.from(sealed.box, "base64");
    try {
      const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(boundTo(name)).setAuthTag(box.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const text = Buffer.concat([decipher.update(box.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return text.toString("utf8");
    } catch {
      // Node says no more than that the tag does not fit.
      throw new ConfigError(
        "TOKEN_DAMAGED",
        `the stored tokens of ${name} are damaged, or those of another name`,
        {
          place: name,
          fix: `Sign in again: sluice connect ${name}`,
        },
      );
    }
  }

  #wrong(name: string, reason: string): ConfigError {
    const where =
      this.#given === undefined ? `the key file ${tokenKeyFile(this.#dataDir)}` : TOKEN_KEY_VARIABLE;
    return new ConfigError("TOKEN_KEY_WRONG", `the stored tokens of ${name} cannot be read: ${reason}`, {
      place: this.#given === undefined ? tokenKeyFile(this.#dataDir) : TOKEN_KEY_VARIABLE,
      fix: `Bring back the key they were stored with (now ${where} is used), or sign in again: sluice connect ${name}`,
    });
  }
}

function boundTo(name: string): Buffer {
  return Buffer.from(`sluice tokens v1\0${name}`);
}

function keyId(key: Buffer): string {
  return createHmac("sha256", key).update("sluice token key id").digest("base64").slice(0, 16);
}
