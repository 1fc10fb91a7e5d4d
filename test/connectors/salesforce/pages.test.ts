import { describe, expect, it } from "vitest";
import { dropAttributes } from "../../../connectors/salesforce/attributes.js";
import { optionsSchema } from "../../../connectors/salesforce/config.js";
import { ExactNumber } from "../../../core/contracts/index.js";
import { json } from "../../core/http/scripted-server.js";
import { at, id, NOON, orgOf, page, row } from "./deals.js";
import { apiError, requestFor } from "./org.js";

describe("pages", () => {
  it("go on until done, however short they are, each asked for when the one before was taken", async () => {
    const fetched: string[] = [];
    const { source } = await orgOf(({ soql, locator }) => {
      fetched.push(locator ?? "query");
      if (soql !== undefined) return page([row(1, at("08:00:00")), row(2, at("08:00:00"))], "01g-2");
      const n = Number(locator?.split("-")[1]);
      return n < 8 ? page([row(n + 1, at(`08:00:0${n}`))], `01g-${n + 1}`) : page([]);
    });
    const seen: number[] = [];
    const held: number[] = [];
    for await (const each of source.read(await requestFor(source, "Deal__c"))) {
      seen.push(each.records.length);
      // Time enough for requests that nobody asked for.
      await new Promise((resolve) => setTimeout(resolve, 20));
      held.push(fetched.length - seen.length);
    }
    expect(seen).toEqual([2, 1, 1, 1, 1, 1, 1, 0]);
    expect(Math.max(...held)).toBe(0);
  });

  it("hold plain records: no attributes, parents nested, exact numbers", async () => {
    const owner = {
      attributes: { type: "User", url: "/services/data/v67.0/sobjects/User/005" },
      Name: "Ann",
      Manager: { attributes: { type: "Name" }, Name: "Bob" },
    };
    const text = JSON.stringify({
      totalSize: 1,
      done: true,
      records: [row(1, at("08:00:00"), { Owner: owner, Name: '{"attributes":{"type":"x","url":"y"},' })],
    });
    const forms = [
      text,
      JSON.stringify(JSON.parse(text), null, 2),
      text.replaceAll('"url":"/', '"extra":1,"url":"/'),
    ];
    for (const form of forms) {
      const { read } = await orgOf(() =>
        json(form.replace(/}\s*\]\s*}$/, ',"Amount":1234567890123456.78}]}')),
      );
      const [only] = await read({ fields: ["Name", "Amount", "Owner.Name", "Owner.Manager.Name"] });
      expect(only?.records).toEqual([
        {
          Id: id(1),
          SystemModstamp: at("08:00:00"),
          Owner: { Name: "Ann", Manager: { Name: "Bob" } },
          Name: '{"attributes":{"type":"x","url":"y"},',
          Amount: new ExactNumber("1234567890123456.78"),
        },
      ]);
    }
  });

  it("lose their attributes in the bytes already, and nothing else", () => {
    const drop = (text: string) => dropAttributes(Buffer.from(text)).toString();
    const attributes = '"attributes":{"type":"Deal__c","url":"/x"}';
    expect(
      drop(
        `{"records":[{${attributes},"Id":"é"},{${attributes},"Owner":{${attributes},"Name":null}},{${attributes}}]}`,
      ),
    ).toBe('{"records":[{"Id":"é"},{"Owner":{"Name":null}},{}]}');
    const untouched = [
      "",
      "{}",
      JSON.stringify({ a: `{${attributes},"Id":1}` }),
      '{"attributes":{"kind":"Deal__c"},"Id":"a"}',
      '{"attributes":{"type":"Deal__c","url":"/x',
      '{"attributes":{"type":"Deal__c","more":{"a":1}},"Id":"a"}',
    ];
    for (const text of untouched) expect(drop(text)).toBe(text);
  });

  it.each([
    ["no object", "[]"],
    ["no records", '{"done":true}'],
    ["no done", '{"records":[]}'],
    ["no next page", '{"records":[],"done":false}'],
    [
      "a next page elsewhere",
      '{"records":[],"done":false,"nextRecordsUrl":"https://evil.example/services/data/v67.0/query/x"}',
    ],
    ["a next page of another kind", '{"records":[],"done":false,"nextRecordsUrl":"//evil.example/x"}'],
    ["a record that is none", '{"records":[5],"done":true}'],
    ["a record without Id", `{"records":[{"SystemModstamp":"${at("08:00:00")}"}],"done":true}`],
    ["a record without stamp", '{"records":[{"Id":"a"}],"done":true}'],
    [
      "a stamp of another form",
      '{"records":[{"Id":"a","SystemModstamp":"2026-09-30T08:00:00Z"}],"done":true}',
    ],
  ])("of an unknown form are refused: %s", async (_what, body) => {
    const { read, server } = await orgOf(() => json(body));
    await expect(read()).rejects.toMatchObject({ kind: "transient", code: "SALESFORCE_UNEXPECTED_ANSWER" });
    expect(server.seen.every(({ url }) => url.startsWith("/services/data/"))).toBe(true);
  });

  it("that come again are noticed, by their locator and by their records", async () => {
    const again = await orgOf(({ locator }) =>
      locator === undefined
        ? page([row(1, at("08:00:00"))], "01g-1")
        : page([row(2, at("08:00:01"))], "01g-1"),
    );
    await expect(again.read()).rejects.toMatchObject({ kind: "transient", code: "SALESFORCE_REPEATED_PAGE" });
    let n = 0;
    const same = await orgOf(() => page([row(1, at("08:00:00"))], `01g-${++n}`));
    await expect(same.read()).rejects.toMatchObject({ code: "SALESFORCE_REPEATED_PAGE" });
    await expect(same.read({ mode: "full", cursorField: undefined })).rejects.toMatchObject({
      code: "SALESFORCE_REPEATED_PAGE",
    });
  });
});

describe("queries that take too long", () => {
  const timeout = apiError(400, "QUERY_TIMEOUT", "Your query request was running for too long.");
  // By auto, Bulk would take over.
  const options = optionsSchema.parse({ api: "rest" });
  const bounds = (soql: string) => ({
    from: Date.parse(/SystemModstamp >=? (\S+?)\)? /.exec(soql)?.[1] ?? "1999-01-01T00:00:00Z"),
    to: Date.parse(/SystemModstamp < (\S+)/.exec(soql)?.[1] ?? ""),
  });

  it("are halved until they pass, and the window is read whole", async () => {
    const from = NOON - 16 * 3_600_000;
    const records = Array.from({ length: 16 }, (_, n) =>
      row(n, new Date(from + n * 3_600_000).toISOString().replace("Z", "+0000")),
    );
    const { read, queries } = await orgOf(({ soql = "" }) => {
      const { from: low, to } = bounds(soql);
      if (to - low > 5 * 3_600_000) return timeout;
      return page(
        records.filter(({ SystemModstamp }) => {
          const ms = Date.parse(SystemModstamp.replace("+0000", "Z"));
          return ms >= low && ms < to;
        }),
      );
    });
    const pages = await read({ from, options });
    expect(pages.flatMap((each) => each.records.map((record) => record.Id))).toEqual(
      records.map(({ Id }) => Id),
    );
    // One window all the while, done at its end and not before.
    expect(new Set(pages.map((each) => JSON.stringify(each.window))).size).toBe(1);
    expect(pages.map((each) => Reflect.get(Object(each.cursor), "done"))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(queries).toHaveLength(2 + 4);
  });

  it("end the run after four halvings, and the window stays to be read", async () => {
    const { read, queries } = await orgOf(() => timeout);
    await expect(read({ from: NOON - 3_600_000, options })).rejects.toMatchObject({
      kind: "transient",
      code: "SALESFORCE_QUERY_TIMEOUT",
    });
    expect(queries).toHaveLength(5);
  });

  it("cannot be halved where there is no stamp", async () => {
    const { read, queries } = await orgOf(() => timeout);
    await expect(read({ mode: "full", cursorField: undefined, options }, "Static")).rejects.toMatchObject({
      code: "SALESFORCE_QUERY_TIMEOUT",
    });
    expect(queries).toHaveLength(1);
  });
});
