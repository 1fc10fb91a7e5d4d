import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../core/contracts/index.js";
import { TokenCipher } from "../../../core/store/index.js";
import { scratchDir } from "./scratch-dir.js";

const TEXT = '{"refresh":"5Aep861KIwKdekr"}';

describe("the cipher of stored tokens", () => {
  let dir: ReturnType<typeof scratchDir>;
  beforeEach(() => {
    dir = scratchDir();
  });
  afterEach(() => dir.remove());

  const cipher = (key?: string) => new TokenCipher(dir.path, key === undefined ? undefined : new Secret(key));
  const keyFile = () => join(dir.path, "token.key");
  const key = randomBytes(32);

  it.each([
    ["hex", key.toString("hex"), key.toString("base64")],
    ["base64", key.toString("base64"), key.toString("base64url")],
    ["a passphrase", "correct horse battery staple", " correct horse battery staple\n"],
  ])("opens what another process sealed with the same key, as %s", async (_form, given, again) => {
    const sealed = await cipher(given).seal("crm", TEXT);
    expect(JSON.stringify(sealed)).not.toContain("5Aep861");
    await expect(cipher(again).open("crm", sealed)).resolves.toBe(TEXT);
  });

  it("makes a key file for its owner alone, once, and takes it from then on", async () => {
    const sealed = await cipher().seal("crm", TEXT);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    const before = readFileSync(keyFile(), "utf8");
    await expect(cipher().open("crm", sealed)).resolves.toBe(TEXT);
    await cipher().seal("crm", TEXT);
    expect(readFileSync(keyFile(), "utf8")).toBe(before);
  });

  it("never seals the same text the same way", async () => {
    const one = cipher();
    const boxes = await Promise.all(
      Array.from({ length: 50 }, async () => (await one.seal("crm", TEXT)).box),
    );
    expect(new Set(boxes).size).toBe(50);
  });

  it.each([0o640, 0o604, 0o660, 0o644])("refuses a key file of mode %o", async (mode) => {
    const sealed = await cipher().seal("crm", TEXT);
    chmodSync(keyFile(), mode);
    const refusal = {
      kind: "config",
      code: "TOKEN_KEY_FILE_OPEN",
      place: keyFile(),
      fix: expect.stringContaining(`chmod 600 ${keyFile()}`),
    };
    await expect(cipher().open("crm", sealed)).rejects.toMatchObject(refusal);
    await expect(cipher().seal("crm", TEXT)).rejects.toMatchObject(refusal);
  });

  it("says that the key is the wrong one, and what to do", async () => {
    const sealed = await cipher(key.toString("hex")).seal("crm", TEXT);
    const refusal = {
      kind: "config",
      code: "TOKEN_KEY_WRONG",
      fix: expect.stringContaining("sluice connect crm"),
    };
    await expect(cipher(randomBytes(32).toString("hex")).open("crm", sealed)).rejects.toMatchObject(refusal);
    await expect(cipher("another passphrase").open("crm", sealed)).rejects.toMatchObject(refusal);
    // No key at all: none is made, which would hide that one is missing.
    await expect(cipher().open("crm", sealed)).rejects.toMatchObject(refusal);
    await cipher().seal("crm", TEXT);
    await expect(cipher().open("crm", sealed)).rejects.toMatchObject(refusal);
    rmSync(keyFile());
  });

  it("refuses a text that was moved to another connection, or changed in any of its bytes", async () => {
    const sealed = await cipher().seal("crm", TEXT);
    await expect(cipher().open("desk", sealed)).rejects.toMatchObject({ code: "TOKEN_DAMAGED" });
    const box = Buffer.from(sealed.box, "base64");
    for (let at = 0; at < box.length; at++) {
      const bent = Buffer.from(box);
      bent[at] = (bent[at] ?? 0) ^ 1;
      await expect(
        cipher().open("crm", { ...sealed, box: bent.toString("base64") }),
        `byte ${at}`,
      ).rejects.toMatchObject({ kind: "config", code: "TOKEN_DAMAGED" });
    }
    const cut = { ...sealed, box: box.subarray(0, 20).toString("base64") };
    await expect(cipher().open("crm", cut)).rejects.toMatchObject({ code: "TOKEN_DAMAGED" });
  });

  it("refuses a short passphrase and a key file that holds none", async () => {
    await expect(cipher("hunter2").seal("crm", TEXT)).rejects.toMatchObject({
      code: "TOKEN_KEY_WEAK",
      message: expect.not.stringContaining("hunter2"),
    });
    writeFileSync(keyFile(), "half a ke", { mode: 0o600 });
    await expect(cipher().seal("crm", TEXT)).rejects.toMatchObject({ code: "TOKEN_KEY_FILE_DAMAGED" });
  });
});
