import { describe, expect, it } from "vitest";
import { customValue } from "../../../connectors/zendesk/custom-fields.js";
import { STREAMS } from "../../../connectors/zendesk/streams.js";
import { ExactNumber, type FieldType, type Value } from "../../../core/contracts/index.js";
import { fits } from "../../contracts/source-schema.js";
import { json } from "../../core/http/scripted-server.js";
import { never } from "./account.js";
import { at, deskOf, idsIn, lastCursor, recordsIn, scriptedDesk } from "./desk.js";

describe("tickets", () => {
  it("have their custom fields once, as json, and their stamp as a time", async () => {
    const { read, account } = await deskOf({ account: { tickets: 20 } });
    const tickets = recordsIn(await read("tickets"));
    for (const ticket of tickets) {
      const row = account.table("tickets").get(Number(ticket.id));
      expect(ticket.custom_fields).toEqual(row?.custom_fields);
      expect(ticket).not.toHaveProperty("fields");
      expect(ticket).not.toHaveProperty("metric_set");
      expect(Date.parse(String(ticket.generated_timestamp)) / 1000).toBe(row?.generated_timestamp);
    }
  });

  it("have a column for each custom field by choice, named by its id and of its type", async () => {
    const { source, read, account, fake } = await deskOf(
      { account: { tickets: 60 } },
      { config: { customFields: "columns" } },
    );
    const schema = await source.describe("tickets", never());
    const definitions = [...account.table("ticket_fields").values()];
    const columns = new Map(schema.fields.map((field) => [field.name, field]));
    const expected: Record<string, FieldType> = {
      tagger: "string",
      integer: "integer",
      decimal: "decimal",
      date: "date",
      checkbox: "boolean",
      multiselect: "json",
      regexp: "string",
      lookup: "string",
      textarea: "string",
    };
    for (const { id, type, title } of definitions) {
      const column = columns.get(`custom_field_${id}`);
      expect(column?.type, String(type)).toBe(expected[String(type)]);
      if (column !== undefined) expect(column.description).toBe(title);
    }
    const tickets = recordsIn(await read("tickets"));
    let filled = 0;
    for (const ticket of tickets) {
      for (const [name, column] of columns) {
        if (!name.startsWith("custom_field_")) continue;
        const value = ticket[name] ?? null;
        expect(fits(column, value), `${name} ${String(value)}`).toBe(true);
        if (value !== null) filled++;
      }
      expect(ticket.custom_fields).toBeDefined();
    }
    expect(filled).toBeGreaterThan(100);
    // Asked for once, not for every page or read.
    await read("tickets");
    expect(fake.requests.byPath["GET /api/v2/ticket_fields"]).toBe(1);
  });

  it("that are deleted come as records that say so", async () => {
    const { read, clock, account } = await deskOf({ account: { tickets: 30 } });
    const first = await read("tickets");
    for (const ticket of recordsIn(first)) expect(ticket.deleted).toBe(ticket.status === "deleted");
    const deleted = account.deleteSome("tickets", 5, 2);
    clock.set(clock.now() + 120_000);
    const second = recordsIn(await read("tickets", { cursor: lastCursor(first) ?? null }));
    expect(second.map(({ id }) => Number(id)).sort()).toEqual([...deleted].sort());
    for (const ticket of second) expect(ticket).toMatchObject({ status: "deleted", deleted: true });
  });
});

describe("other deletes", () => {
  it("users are no longer active", async () => {
    const { read, clock, account } = await deskOf({ account: { users: 30 } });
    const first = await read("users");
    const deleted = account.deleteSome("users", 4, 2);
    clock.set(clock.now() + 120_000);
    const second = recordsIn(await read("users", { cursor: lastCursor(first) ?? null }));
    expect(second.map(({ id, active }) => [Number(id), active])).toEqual(
      expect.arrayContaining(deleted.map((id) => [id, false])),
    );
  });

  it("organizations have deleted_at, and a boolean", async () => {
    const { read, clock, account } = await deskOf({ account: { organizations: 30 } });
    const first = await read("organizations");
    const deleted = account.deleteSome("organizations", 4, 2);
    clock.set(clock.now() + 120_000);
    const second = recordsIn(await read("organizations", { cursor: lastCursor(first) ?? null }));
    expect(second.map(({ id }) => Number(id)).sort()).toEqual([...deleted].sort());
    for (const row of second)
      expect(row).toMatchObject({ deleted: true, deleted_at: "2026-10-01T12:00:00Z" });
    for (const row of recordsIn(first)) expect(row.deleted).toBe(row.deleted_at !== null);
  });
});

describe("comments and metrics", () => {
  it("comments come with the ticket events, one request for all of them", async () => {
    const { fake, read } = await deskOf({ account: { tickets: 40 } });
    const events = recordsIn(await read("ticket_events"));
    const within = events.flatMap(({ child_events }) => (Array.isArray(child_events) ? child_events : []));
    const bodies = within.filter((child) => Reflect.get(Object(child), "event_type") === "Comment");
    expect(bodies.length).toBeGreaterThan(10);
    for (const body of bodies) expect(body).toHaveProperty("body", expect.any(String));
    fake.requests.reset();
    const comments = recordsIn(await read("ticket_comments"));
    expect(comments).toHaveLength(bodies.length);
    expect(fake.requests.total).toBe(1);
    expect(fake.requests.recent[0]).toContain("include=comment_events");
    const event = new Map(events.map((row) => [row.id, row]));
    for (const comment of comments) {
      expect(comment.ticket_id).toBe(event.get(comment.event_id ?? null)?.ticket_id);
      expect(comment.timestamp).toBe(event.get(comment.event_id ?? null)?.timestamp);
    }
  });

  it("metrics come beside the ticket export, none for deleted tickets", async () => {
    const { fake, read, account } = await deskOf({ account: { tickets: 40 } });
    const metrics = recordsIn(await read("ticket_metrics"));
    const alive = [...account.table("tickets").values()].filter((row) => row.status !== "deleted");
    expect(metrics.map(({ ticket_id }) => ticket_id).sort()).toEqual(alive.map(({ id }) => id).sort());
    expect(fake.requests.recent).toHaveLength(1);
    expect(fake.requests.recent[0]).toContain("include=metric_sets");
  });
});

describe("metrics in another form", () => {
  const ticket = (id: number, more: object = {}) => ({
    id,
    status: "open",
    generated_timestamp: at("10:00:00"),
    ...more,
  });
  const page = (tickets: readonly object[], more: object = {}) => ({
    tickets,
    ...more,
    after_cursor: "a",
    end_of_stream: true,
  });

  it("beside the tickets, as other sideloads come, are joined to them", async () => {
    const sets = [
      { id: 70, ticket_id: 7, replies: 1 },
      { id: 80, ticket_id: 8, replies: 2 },
    ];
    const { read, log } = await scriptedDesk(() => page([ticket(7), ticket(8)], { metric_sets: sets }));
    expect(recordsIn(await read("ticket_metrics"))).toEqual([
      { id: 70, ticket_id: 7, replies: 1, generated_timestamp: "2026-10-01T10:00:00Z" },
      { id: 80, ticket_id: 8, replies: 2, generated_timestamp: "2026-10-01T10:00:00Z" },
    ]);
    expect(log.lines.filter((line) => line.includes("warn"))).toEqual([]);
  });

  it("that do not come at all are said to be missing, not silently none", async () => {
    const { read, log } = await scriptedDesk(() => page([ticket(7), ticket(8)]));
    expect(recordsIn(await read("ticket_metrics"))).toEqual([]);
    expect(log.lines.join()).toContain("2 tickets came without their metric set");
    const deleted = await scriptedDesk(() => page([ticket(7, { status: "deleted" })]));
    await deleted.read("ticket_metrics");
    expect(deleted.log.lines.filter((line) => line.startsWith("warn"))).toEqual([]);
  });
});

describe("custom values", () => {
  const column = (type: FieldType) => ({
    key: "1",
    type,
    field: { name: "custom_1", type, filterable: false },
  });
  const cases: readonly (readonly [FieldType, Value, Value])[] = [
    ["integer", "745", 745],
    ["integer", 745, 745],
    ["integer", "", null],
    ["integer", "9007199254740993", new ExactNumber("9007199254740993")],
    ["integer", "007", 7],
    ["integer", "many", "many"],
    ["decimal", "1.50", new ExactNumber("1.50")],
    ["decimal", "-3.25", -3.25],
    ["boolean", true, true],
    ["boolean", "false", false],
    ["boolean", null, null],
    ["date", "2026-10-01", "2026-10-01"],
    ["date", "2026-10-01T00:00:00Z", "2026-10-01"],
    ["date", "", null],
    ["string", 4711, "4711"],
    ["string", "Größe", "Größe"],
    ["json", ["a", "b"], ["a", "b"]],
  ];
  it.each(cases)("%s %j", (type, given, expected) => {
    expect(customValue(column(type), given)).toEqual(expected);
  });

  it("of users and organizations have columns by their keys", async () => {
    const { source, read } = await deskOf(
      { account: { users: 40, organizations: 40 } },
      { config: { customFields: "columns" } },
    );
    const types = async (stream: string) =>
      (await source.describe(stream, never())).fields
        .filter(({ name }) => name.startsWith("custom_field_"))
        .map(({ name, type }) => [name, type]);
    expect(await types("users")).toEqual([
      ["custom_field_tier", "string"],
      ["custom_field_since", "date"],
      ["custom_field_opted_in", "boolean"],
    ]);
    expect(await types("organizations")).toEqual([
      ["custom_field_region", "string"],
      ["custom_field_seats", "integer"],
    ]);
    for (const row of recordsIn(await read("organizations"))) {
      expect({ region: row.custom_field_region, seats: row.custom_field_seats }).toEqual(
        row.organization_fields,
      );
    }
  });

  it("of an unknown type are strings, with a line in the log", async () => {
    const { source, log } = await scriptedDesk(
      (url) =>
        url.pathname.endsWith("/ticket_fields.json")
          ? {
              ticket_fields: [
                { id: 7, type: "hologram", title: "New" },
                { id: 8, type: "subject", title: "Subject" },
              ],
              meta: { has_more: false },
            }
          : {},
      { config: { customFields: "columns" } },
    );
    const { fields } = await source.describe("tickets", never());
    expect(fields.filter(({ name }) => /^custom_field_/.test(name))).toEqual([
      { name: "custom_field_7", type: "string", filterable: false, description: "New" },
    ]);
    expect(log.lines.join()).toContain("unknown type hologram");
  });
});

describe("drift of the schema", () => {
  const page = (ticket: object) => ({
    tickets: [{ id: 1, generated_timestamp: at("10:00:00"), ...ticket }],
    after_cursor: "a",
    end_of_stream: true,
  });

  it("a new field is named once and left out", async () => {
    const { read, log } = await scriptedDesk(() => page({ sentiment: "happy", subject: "s" }));
    expect(recordsIn(await read("tickets"))[0]).not.toHaveProperty("sentiment");
    await read("tickets");
    expect(log.lines.filter((line) => line.includes("tickets has the field sentiment"))).toHaveLength(2);
  });

  it("a field that is gone is missing, and one of another type is handed on as it is", async () => {
    const { read } = await scriptedDesk(() => page({ subject: { text: "now an object" }, tags: null }));
    const [ticket] = recordsIn(await read("tickets"));
    expect(ticket).toEqual({
      id: 1,
      generated_timestamp: "2026-10-01T10:00:00Z",
      subject: { text: "now an object" },
      tags: null,
      deleted: false,
    });
  });

  it("ids beyond what a double holds keep their digits", async () => {
    const { read } = await scriptedDesk(() =>
      json(
        '{"tickets":[{"id":9007199254740993,"generated_timestamp":1790848800}],"after_cursor":"a","end_of_stream":true}',
      ),
    );
    expect(String(recordsIn(await read("tickets"))[0]?.id)).toBe("9007199254740993");
  });

  it("a record with a name twice is refused by that name, and the others are not", async () => {
    const { read } = await scriptedDesk(() =>
      json(
        '{"tickets":[{"id":1,"subject":"one","subject":"two","generated_timestamp":1790848800},{"id":2,"generated_timestamp":1790848801}],"after_cursor":"a","end_of_stream":true}',
      ),
    );
    const [page] = await read("tickets");
    const refused = [...(page?.refused ?? [])].map(([record, why]) => [record.id, why.doubtful]);
    expect(refused).toEqual([[1, ["subject"]]]);
    expect(page?.records).toHaveLength(2);
  });

  it("what Zendesk warns of is in the log, once", async () => {
    const { read, log } = await scriptedDesk(() =>
      json({ groups: [], meta: { has_more: false } }, 200, {
        "X-Zendesk-API-Warn": "Removed restricted keys [x]",
      }),
    );
    await read("groups");
    await read("groups");
    expect(log.lines.filter((line) => line.includes("Removed restricted keys"))).toHaveLength(1);
  });
});

describe("the table of streams", () => {
  it("has every stream once, with its key and its cursor among its columns", () => {
    const names = STREAMS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, fields, cursor } of STREAMS) {
      const columns = fields.map((field) => field.name);
      expect(new Set(columns).size, name).toBe(columns.length);
      expect(columns, name).toContain("id");
      if (cursor !== undefined)
        expect(fields.find((field) => field.name === cursor)?.type, name).toBe("timestamp");
    }
  });

  it("gives only the columns that a flow uses, with key and cursor", async () => {
    const { read } = await deskOf({ account: { tickets: 3 } });
    const [ticket] = recordsIn(await read("tickets", { fields: ["subject", "via.channel"] }));
    expect(Object.keys(ticket ?? {}).sort()).toEqual(["generated_timestamp", "id", "subject", "via"]);
    expect(idsIn(await read("tickets", { fields: [] }))).toHaveLength(3);
  });
});
