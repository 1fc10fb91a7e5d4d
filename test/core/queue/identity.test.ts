import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageId, parseMessageId, TAIL_VALUES } from "../../../core/queue/message-id.js";
import { formatReceipt, parseReceipt } from "../../../core/queue/receipt-handle.js";

const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const tail = fc.integer({ min: 0, max: TAIL_VALUES - 1 });

describe("message ids and receipt handles", () => {
  it("an id is a UUID of version 7 that gives its place back, and sorts by it", () => {
    fc.assert(
      fc.property(u48, u48, tail, u48, (order, sequence, bits, other) => {
        const id = messageId({ order, sequence }, bits);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(parseMessageId(id)).toEqual({ order, sequence, tail: bits });
        if (other > sequence) expect(messageId({ order, sequence: other }, 0) > id).toBe(true);
      }),
    );
  });

  it("a handle gives back what it was made of", () => {
    fc.assert(
      fc.property(u32, u48, u48, u8, tail, u32, (queueId, order, first, index, bits, receiveNumber) => {
        const sequence = Math.min(first, 2 ** 48 - 256) + index;
        const receipt = { queueId, order, sequence, index, tail: bits, receiveNumber };
        const text = formatReceipt(receipt);
        expect(text.length).toBeLessThanOrEqual(1024);
        expect(parseReceipt(text)).toEqual(receipt);
      }),
    );
  });

  it("a handle of which a character was changed is none", () => {
    const character = fc.constantFrom(..."ABab01-_ =é");
    fc.assert(
      fc.property(u32, u48, tail, fc.nat(39), character, (queueId, order, bits, at, other) => {
        const text = formatReceipt({ queueId, order, sequence: 77, index: 3, tail: bits, receiveNumber: 1 });
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        expect(parseReceipt(changed) === undefined).toBe(changed !== text);
      }),
    );
  });

  it("no other text is taken for an id or a handle", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseMessageId(text)).toBeUndefined();
        expect(parseReceipt(text)).toBeUndefined();
      }),
    );
  });
});
