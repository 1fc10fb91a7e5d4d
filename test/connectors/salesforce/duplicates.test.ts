import { describe, expect, it } from "vitest";
import type { Page } from "../../../core/contracts/index.js";
import { json } from "../../core/http/scripted-server.js";
import { at, id, orgOf, row } from "./deals.js";

/** A page in which these rows end with another value for a key they have already. */
function page(rows: readonly object[], again: Readonly<Record<number, string>>, next?: string) {
  const records = rows.map((each, n) => {
    const text = JSON.stringify(each);
    return again[n] === undefined ? text : `${text.slice(0, -1)},${again[n]}}`;
  });
  const more = next === undefined ? "" : `,"nextRecordsUrl":"/services/data/v67.0/query/${next}"`;
  return json(`{"totalSize":9,"done":${next === undefined},"records":[${records.join(",")}]${more}}`);
}

const refusals = (pages: readonly Page[]) =>
  pages.flatMap(({ records, refused }) =>
    records.flatMap((record) => {
      const why = refused?.get(record);
      return why === undefined ? [] : [{ Id: record.Id, ...why }];
    }),
  );

describe("a record with a key twice", () => {
  it("is handed out as refused, with what Salesforce wrote; pages without one say nothing of it", async () => {
    const { read } = await orgOf(({ soql }) =>
      soql === undefined
        ? page([row(3, at("08:00:02"), { Name: ":smile:" })], {})
        : page(
            [
              row(1, at("08:00:00"), { Name: "a" }),
              row(2, at("08:00:01"), { Owner: { attributes: { type: "User", url: "/u" }, Name: "Ann" } }),
            ],
            { 0: '"Name":"b"' },
            "01g-2",
          ),
    );
    const pages = await read({ fields: ["Name", "Owner.Name"] });
    expect(pages.flatMap(({ records }) => records.map((record) => record.Id))).toEqual([id(1), id(2), id(3)]);
    expect(refusals(pages)).toEqual([
      {
        Id: id(1),
        rule: "duplicate key on Name",
        reason: expect.stringMatching(/^the key Name occurs twice in this record, and only the source knows/),
        text: `{"Id":"${id(1)}","SystemModstamp":"${at("08:00:00")}","Name":"a","Name":"b"}`,
        doubtful: ["Name"],
      },
    ]);
    expect(pages[1]).not.toHaveProperty("refused");
  });

  it("stays refused where the record had to be made anew without its attributes", async () => {
    const { read } = await orgOf(() =>
      page([{ ...row(1, at("08:00:00"), { Name: "a" }), attributes: { type: "Deal__c", more: { x: 1 } } }], {
        0: '"Name":"b"',
      }),
    );
    const pages = await read({ fields: ["Name"] });
    expect(pages[0]?.records).toEqual([{ Id: id(1), SystemModstamp: at("08:00:00"), Name: "b" }]);
    expect(refusals(pages)).toMatchObject([{ rule: "duplicate key on Name" }]);
  });

  it.each([
    ["Id", '"Id":"zzz"', "incremental"],
    ["SystemModstamp", '"SystemModstamp":"2099-01-01T00:00:00.000+0000"', "incremental"],
    ["SystemModstamp", '"SystemModstamp":7', "incremental"],
    ["Id", '"Id":"zzz"', "full"],
  ] as const)("that is its %s (%s, %s) gives no place to go on from", async (key, again, mode) => {
    const { read, queries } = await orgOf(({ soql = "" }) => {
      if (soql === "") return json([{ errorCode: "INVALID_QUERY_LOCATOR", message: "gone" }], 400);
      return soql.includes(id(1)) || soql.includes("08:00:00")
        ? page([row(3, at("08:00:02"))], {})
        : page([row(1, at("08:00:00")), row(2, at("08:00:01"))], { 1: again }, "01g-2");
    });
    const pages = await read(mode === "full" ? { mode, cursorField: undefined } : {});
    expect(refusals(pages)).toMatchObject([{ doubtful: [key] }]);
    expect(pages.flatMap(({ records }) => records).length).toBe(3);
    // The locator is dead: the next query goes on behind the record before the one in doubt.
    expect(queries.at(-1)).toContain(`Id > '${id(1)}'`);
    expect(queries.at(-1)).not.toMatch(/zzz|2099/);
  });
});
