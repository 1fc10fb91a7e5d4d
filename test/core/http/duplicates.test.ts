import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { carryRefused, refusedRecords } from "../../../core/http/duplicates.js";
import { parseJson } from "../../../core/http/json.js";

function refusedIn(text: string, path: readonly string[] = ["records"]) {
  const body = Buffer.from(text);
  const value = parseJson(body);
  return { value, refused: refusedRecords(body, value, path) };
}

/** `reason`s by position in the list. */
function reasons(text: string): Record<number, string> {
  const { value, refused } = refusedIn(text);
  const { records } = value as { records: object[] };
  return Object.fromEntries([...refused].map(([record, { reason }]) => [records.indexOf(record), reason]));
}

const HINT = ", and only the source knows which value holds: correct the record there";

describe("a key that occurs twice", () => {
  it("refuses its record, and no other", () => {
    const text = '{"done":true,"records":[{"a":1},{"a":1,"b":{"c":2},"a":3},{"a":4}]}';
    const { value, refused } = refusedIn(text);
    expect([...refused]).toEqual([
      [
        { a: 3, b: { c: 2 } },
        {
          rule: "duplicate key on a",
          reason: `the key a occurs twice in this record${HINT}`,
          text: '{"a":1,"b":{"c":2},"a":3}',
          doubtful: ["a"],
        },
      ],
    ]);
    // The very object that json() gives.
    expect(refused.has((value as { records: [object, never] }).records[1])).toBe(true);
  });

  it.each([
    ["inside a parent", '{"Owner":{"Name":1,"x":[{}],"Name":2}}', "the key Owner.Name occurs twice"],
    ["inside a list", '{"l":[{},{"k":1,"k":1}]}', "the key l.1.k occurs twice"],
    ["thrice", '{"a":1,"a":2,"a":3}', "the key a occurs 3 times"],
    ["two keys", '{"a":1,"a":2,"b":1,"b":2}', "the keys a, b occur more than once"],
    [
      "seven keys",
      `{${[..."abcdefg", ..."abcdefg"].map((k) => `"${k}":1`)}}`,
      "the keys a, b, c, d, e and 2 more occur",
    ],
    ["spelt with an escape", '{"Name":1,"\\u004eame":2}', "the key Name occurs twice"],
    ["empty", '{"":1,"":2}', 'the key "" occurs twice'],
    ["with a colon and a quote", '{":\\"":1,":\\"":2}', 'the key :" occurs twice'],
    ["with white space around it", '{ "a"\t:\r\n1 , "a" : 2 }', "the key a occurs twice"],
    ["beside a number no double holds", '{"n":9007199254740993,"a":1,"a":2}', "the key a occurs twice"],
    ["behind UTF-8", '{"ü":"日本 😀","ü":2}', "the key ü occurs twice"],
    ["named __proto__", '{"__proto__":1,"__proto__":2}', "the key __proto__ occurs twice"],
    [
      "named like a long sentence",
      `{"${"k".repeat(300)}":1,"${"k".repeat(300)}":2}`,
      `the key ${"k".repeat(100)}... occurs`,
    ],
  ])("%s", (_, record, start) => {
    const found = reasons(`{"records":[{"b":":x"},${record}]}`);
    expect(Object.keys(found)).toEqual(["1"]);
    expect(found[1]?.startsWith(start)).toBe(true);
  });

  it.each([
    '{"a":"a","b":"\\"a\\":1,\\"a\\":2"}',
    '{"a":":smile:","b":": x","c":["a",":b","c"]}',
    '{"a":{"x":1},"b":{"x":1},"l":[{"x":1},{"x":1}],"x":1}',
    '{"a\\\\":1,"a":2,"a\\\\\\"":3}',
    '{"text":12345678901234567890,"n":{"text":9007199254740993}}',
    "{}",
    "[]",
    "7",
    '"\\":"',
  ])("is not seen in %s", (record) => {
    expect(reasons(`{"records":[${record}]}`)).toEqual({});
  });

  it("is looked for where the records are: in the list named, in one record, in the body itself", () => {
    const twice = '{"a":1,"a":2}';
    const count = (text: string, path: string[]) => refusedIn(text, path).refused.size;
    expect(count(`[{},${twice},${twice}]`, [])).toBe(2);
    expect(count(twice, [])).toBe(1);
    expect(count(`{"channel":${twice}}`, ["channel"])).toBe(1);
    expect(count(`{"x":{"list":[${twice}]}}`, ["x", "list"])).toBe(1);
    expect(
      count(`{"done":1,"done":2,"records":[{}],"other":[${twice}],"x":{"records":[${twice}]}}`, ["records"]),
    ).toBe(0);
    expect(count(`{"x":[${twice}]}`, ["x", "0"])).toBe(0);
    expect(count(`{"records":[[${twice}]]}`, ["records"])).toBe(0);
    expect(count(`{"records":7,"a":1,"a":2}`, ["records"])).toBe(0);
    // Of two lists of that name parsing kept the last.
    expect(count(`{"records":[${twice}],"records":[{}]}`, ["records"])).toBe(0);
    expect([...refusedIn(`{"records":[{}],"records":[{},${twice}]}`).refused.keys()]).toEqual([{ a: 2 }]);
  });

  it("goes with its record when a connector makes that anew", () => {
    const { value, refused } = refusedIn('[{"a":1},{"a":1,"a":2}]', []);
    const [first, second] = value as [object, object];
    const anew = [{ of: 1 }, { of: 2 }];
    const carried = carryRefused(refused, [first, second], anew);
    expect([...carried.keys()]).toEqual([{ of: 2 }]);
    expect(carried.get(anew[1] ?? {})?.doubtful).toEqual(["a"]);
  });

  it("is found in a tree deeper than the stack, and a body of colons is looked at once", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(reasons(`{"records":[{"d":${deep},"a":1,"a":2}]}`)[0]).toContain("the key a occurs twice");
    expect(reasons(`{"records":[{"d":"${":".repeat(1_000_000)}"}]}`)).toEqual({});
  });
});

/** Duplicates by the book: a parser of one rule per kind of value. */
class Reference {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }

  /** The value, and whether any object in it holds a key twice. */
  value(): { readonly twice: boolean; readonly items: readonly boolean[] } {
    this.#space();
    const next = this.#text[this.#at];
    const items: boolean[] = [];
    let twice = false;
    if (next === "[" || next === "{") {
      const keys = new Set<string>();
      this.#at++;
      for (this.#space(); !"]}".includes(this.#text[this.#at] ?? "]"); this.#space()) {
        if (this.#text[this.#at] === ",") {
          this.#at++;
          continue;
        }
        if (next === "{") {
          const key: string = JSON.parse(this.#token(/"(?:[^"\\]|\\.)*"/suy));
          if (keys.has(key)) twice = true;
          keys.add(key);
          this.#space();
          this.#at++;
        }
        const item = this.value();
        items.push(item.twice);
        twice ||= item.twice;
      }
      this.#at++;
    } else if (next === '"') this.#token(/"(?:[^"\\]|\\.)*"/suy);
    else this.#token(/[^\s,\]}]+/uy);
    return { twice, items };
  }

  #space(): void {
    this.#token(/\s*/uy);
  }

  #token(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [token = ""] = pattern.exec(this.#text) ?? [];
    this.#at += token.length;
    return token;
  }
}

describe("random JSON texts", () => {
  const space = fc.constantFrom("", "", "", " ", "\n", "\t \r\n");
  /** Few different keys, each in several spellings. */
  const key = fc.constantFrom(
    "a",
    "\\u0061",
    "b",
    "",
    ":",
    '\\"',
    "\\\\",
    '\\":',
    "é",
    "\\u00e9",
    "😀",
    "\\ud83d\\ude00",
    "\\ud83d",
  );
  const text = fc.oneof(
    fc.constantFrom('":"', '": "', '"\\":"', '"\\\\"', '"a\\\\\\":1,"', '",:[{}]"', '""'),
    fc.string({ unit: "binary" }).map((each) => JSON.stringify(each)),
  );
  const { json } = fc.letrec<{ json: string; object: string }>((tie) => ({
    object: fc
      .array(fc.tuple(space, key, space, space, tie("json")), { maxLength: 4 })
      .map(
        (members) =>
          `{${members.map(([a, name, b, c, value]) => `${a}"${name}"${b}:${c}${value}`).join(",")}}`,
      ),
    json: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.constantFrom("null", "true", "-1.5e3", "12345678901234567890.5"),
      fc
        .array(fc.tuple(tie("json"), space), { maxLength: 4 })
        .map((items) => `[${items.map((each) => each.join("")).join(",")}]`),
      tie("object"),
      tie("object"),
    ),
  }));

  it("give the records that a plain parser finds", () => {
    let refusals = 0;
    fc.assert(
      fc.property(fc.array(json, { maxLength: 5 }), space, (items, gap) => {
        const list = `[${items.join(`,${gap}`)}]`;
        const { value, refused } = refusedIn(`${gap}{"a":1,${gap}"records"${gap}:${list}}`);
        const { records } = value as { records: unknown[] };
        const expected = new Reference(list)
          .value()
          .items.map((twice, index) => ({ twice, record: records[index] }))
          .filter(({ twice, record }) => twice && typeof record === "object" && !Array.isArray(record));
        expect([...refused.keys()]).toEqual(expected.map(({ record }) => record));
        for (const [record, { text: whole }] of refused)
          expect(parseJson(Buffer.from(whole ?? ""))).toEqual(record);
        refusals += refused.size;
      }),
      { numRuns: 2_000 },
    );
    expect(refusals).toBeGreaterThan(100);
  });
});
