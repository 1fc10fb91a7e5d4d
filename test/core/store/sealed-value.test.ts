import { expect, it } from "vitest";
import { LONGEST_SEALED_MORE, sealedValue, sealInto, unsealed } from "../../../core/store/sealed-value.js";

const key = Buffer.from("key");
const sealed = (value: Buffer) =>
  Buffer.from(sealInto(Buffer.alloc(value.length + LONGEST_SEALED_MORE), key, value));
const refusal = expect.objectContaining({ kind: "config", code: "DATA_DIR_DAMAGED" });

it("gives back what was sealed under that key, of any length", () => {
  for (const length of [0, 1, 2, 3, 100, 10_000, 64 * 1024, 300_000]) {
    const value = Buffer.alloc(length, "v");
    expect(unsealed("t", key, sealed(value)).equals(value), `${length}`).toBe(true);
    expect(sealedValue(sealed(value)).equals(value), `${length}`).toBe(true);
  }
});

it("refuses every flipped bit, a value cut short, and one that lies under another key", () => {
  const kept = sealed(Buffer.from("a value"));
  for (let bit = 0; bit < kept.length * 8; bit++) {
    const flipped = Buffer.from(kept);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => unsealed("t", key, flipped), `bit ${bit}`).toThrow(refusal);
  }
  for (let length = 2; length < kept.length; length++)
    expect(() => unsealed("t", key, kept.subarray(0, length)), `${length} bytes`).toThrow(refusal);
  expect(() => unsealed("t", Buffer.from("kez"), kept)).toThrow(refusal);
});
