import { describe, expect, test } from "vitest";
import type { Value } from "../../../core/contracts/index.js";
import { plan } from "./project.js";
import { exact, FIELDS } from "./steps.js";

describe("filter", () => {
  const decide = (condition: string, record: Record<string, Value>) => {
    const made = plan(`filter: [${condition}]\nmap: [{ from: Id, to: id }]`, FIELDS);
    const result = made.process(record);
    return result.kind === "rejected"
      ? `${result.rejection.rule}: ${result.rejection.reason}`
      : result.kind === "mapped";
  };

  test.each([
    ["{ field: Name, equals: Ann }", { Name: "Ann" }, true],
    ["{ field: Name, equals: Ann }", { Name: "ann" }, false],
    ["{ field: Name, equals: Ann }", { Name: null }, false],
    ["{ field: Name, equals: Ann }", {}, false],
    ["{ field: Name, notEquals: Ann }", {}, true],
    ["{ field: Name, notIn: [Ann, Bob] }", { Name: null }, true],
    ["{ field: Name, notIn: [Ann, Bob] }", { Name: "Bob" }, false],
    ["{ field: Name, in: [Ann, Bob] }", { Name: "Bob" }, true],
    ["{ field: Name, contains: nn }", { Name: "Ann" }, true],
    ["{ field: Name, notContains: nn }", {}, true],
    ["{ field: Name, startsWith: A }", { Name: "Ann" }, true],
    ["{ field: Name, endsWith: A }", { Name: "Ann" }, false],
    ['{ field: Name, greaterThan: "\uff5e" }', { Name: "😀" }, true],
    ["{ field: Name, isNull: true }", {}, true],
    ["{ field: Name, isNull: false }", {}, false],
    ["{ field: Name, isNotNull: true }", { Name: "" }, true],
    ["{ field: Amount, greaterThan: 1000 }", { Amount: 1000.01 }, true],
    ["{ field: Amount, greaterThan: 1000 }", { Amount: null }, false],
    ["{ field: Amount, lessThanOrEquals: 0.3 }", { Amount: exact("0.30000000000000000001") }, false],
    ["{ field: Big, equals: 9007199254740993 }", { Big: exact("9007199254740993") }, true],
    ["{ field: Big, equals: 9007199254740993 }", { Big: 9007199254740992 }, false],
    ["{ field: Big, greaterThan: 9007199254740992 }", { Big: exact("9007199254740993") }, true],
    ["{ field: Count, between: [1, 3] }", { Count: 3 }, true],
    ["{ field: Count, between: [1, 3] }", { Count: 4 }, false],
    ["{ field: Count, in: [1, 2] }", { Count: 2 }, true],
    ["{ field: Closed, equals: true }", { Closed: true }, true],
    ["{ field: CloseDate, greaterThanOrEquals: 2026-10-01 }", { CloseDate: "2026-10-01" }, true],
    ["{ field: CloseDate, lessThan: 1000-01-01 }", { CloseDate: "0999-12-31" }, true],
    [
      '{ field: Stamp, equals: "2026-10-01T12:00:00+02:00" }',
      { Stamp: "2026-10-01T10:00:00.000+0000" },
      true,
    ],
    [
      '{ field: Stamp, lessThan: "2026-10-01T10:00:00.0001Z" }',
      { Stamp: "2026-10-01T10:00:00.000+0000" },
      true,
    ],
    ["{ field: Stamp, greaterThan: 2026-10-01 }", { Stamp: "2026-10-01T00:00:00.000Z" }, false],
    ["{ field: Owner.Name, equals: Ann }", { Owner: null }, false],
    ["{ field: Owner.Name, equals: Ann }", { Owner: { Name: "Ann" } }, true],
    ["{ field: Address.city, equals: Rome }", { Address: { city: "Rome" } }, true],
    ["{ field: Address.city, equals: Rome }", { Address: { city: 5 } }, false],
    ["{ field: Address.city, notEquals: Rome }", { Address: { city: 5 } }, true],
    ["{ field: Address.zip, greaterThan: 5 }", { Address: { zip: 6 } }, true],
    ["{ field: Address.tags, contains: vip }", { Address: { tags: ["vip", "x"] } }, true],
    ["{ any: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }", { Name: "Ann" }, true],
    ["{ not: { field: Name, equals: Ann } }", {}, true],
    ["{ all: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }", { Count: 1 }, false],
    // A value of the wrong type leaves the answer open, and only where the answer depends on it.
    [
      "{ field: Count, equals: 1 }",
      { Count: "1" },
      'type integer on Count: filter: Count is "1", expected an integer within 64 bits',
    ],
    [
      "{ not: { field: Closed, equals: true } }",
      { Closed: "yes" },
      'type boolean on Closed: filter: Closed is "yes", expected true or false',
    ],
    [
      "{ any: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }",
      { Count: "1", Name: "Ann" },
      true,
    ],
    [
      "{ all: [{ field: Count, equals: 1 }, { field: Name, equals: Ann }] }",
      { Count: "1", Name: "Bob" },
      false,
    ],
    [
      "{ all: [{ field: Count, equals: 1 }, { any: [{ field: Big, equals: 1 }, { field: Name, equals: Ann }] }] }",
      { Count: "1", Big: "2", Name: "Ann" },
      'type integer on Count: filter: Count is "1", expected an integer within 64 bits',
    ],
  ] as [string, Record<string, Value>, boolean | string][])(
    "%s of %j -> %s",
    (condition, record, expected) => {
      expect(decide(condition, record)).toBe(expected);
    },
  );
});
