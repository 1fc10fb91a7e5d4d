import fc from "fast-check";

/** Text with everything that hurts: emoji, lone surrogates, control characters. */
export const awkwardText = fc.string({
  unit: fc.oneof(
    fc.constantFrom("a", "é", "😀", "\ud83d", "\ude00", "\uffff", "\u0000", '"', "\\"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  ),
  maxLength: 12,
});
