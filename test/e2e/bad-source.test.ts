import { describe, expect, it } from "vitest";
import { type FaultRule, type SalesforceFake, startSalesforceFake } from "../fakes/salesforce/index.js";
import { landedIds, liveIds, ScratchProject } from "./scratch-project.js";

// What a source can send, as one real process after the other meets it.

/** Real processes on a machine that may be busy. */
const OPTIONS = { concurrent: true, timeout: 120_000 };

const PAGE = 50;
const JSONL = "{ connection: files, path: accounts, format: jsonl, compression: none }";

interface World {
  readonly org: SalesforceFake;
  readonly project: ScratchProject;
  /** Every live record has landed exactly once. */
  assertComplete(): void;
}

async function withWorld(accounts: number, work: (world: World) => Promise<void>): Promise<void> {
  const org = await startSalesforceFake({
    pageSize: PAGE,
    org: { accounts, contacts: 0, opportunities: 0, invoices: 0, users: 3 },
  });
  const project = new ScratchProject(org);
  project.flow("accounts", "Account", [JSONL]);
  const assertComplete = () => expect(landedIds(project.landed("accounts"))).toEqual(liveIds(org, "Account"));
  try {
    await work({ org, project, assertComplete });
  } finally {
    await org.close();
    project.remove();
  }
}

/** Strikes the nth request for a page, counting from 1, repeats included. */
const page = (nth: number | readonly number[], fault: FaultRule["fault"]): FaultRule => ({
  path: "/query",
  on: { nth },
  fault,
});

/** Every page but the first. */
const LATER = Array.from({ length: 40 }, (_, n) => n + 2);

describe("a source that misbehaves", OPTIONS, () => {
  it("is asked again wherever that can help, and every record lands once", async () => {
    await withWorld(600, async ({ org, project, assertComplete }) => {
      const faults: readonly FaultRule[] = [
        page(2, { kind: "htmlPage" }),
        page(4, { kind: "halfJson" }),
        page(6, { kind: "cutBody" }),
        page(8, { kind: "resetBefore" }),
        page(10, { kind: "resetAfter" }),
        page(12, { kind: "expireToken" }),
        page(14, { kind: "status", preset: "concurrentLimit", retryAfterSeconds: 0 }),
        page(16, { kind: "status", preset: "unavailable", retryAfterSeconds: 0 }),
        page(18, { kind: "poisonRecord", poison: "halfRecord" }),
        page(20, { kind: "trickle", chunkBytes: 4_000, everyMs: 5 }),
        page(21, { kind: "slow", delayMs: 200 }),
      ];
      for (const rule of faults) org.faults.add(rule);
      const { code, document, stderr } = await project.run("accounts");
      expect(stderr).not.toContain("error[");
      expect(code).toBe(0);
      expect(document).toMatchObject({ status: "succeeded", error: null });
      expect(Object.keys(org.faults.struck)).toHaveLength(faults.length);
      // A limit is waited out, and said.
      expect(stderr).toMatch(/SALESFORCE_CONCURRENT_LIMIT.*waiting 0 ms: REQUEST_LIMIT_EXCEEDED/);
      assertComplete();
    });
  });

  it.each([
    ["an HTML page", "HTTP_HTML", { kind: "htmlPage" }, "answered 200 with HTML, beginning: <html>"],
    ["half a JSON", "HTTP_BAD_JSON", { kind: "halfJson" }, "answered 200 with a broken or unfinished JSON"],
    ["half a body", "HTTP_BODY_CUT", { kind: "cutBody" }, "the answer broke off"],
    ["a reset", "HTTP_CONNECTION_LOST", { kind: "resetBefore" }, "the connection was lost (ECONNRESET)"],
    [
      "bytes that are no UTF-8",
      "HTTP_BAD_TEXT",
      { kind: "poisonRecord", poison: "invalidUtf8" },
      "answered 200 with bytes that are not UTF-8",
    ],
  ] as const)(
    "for good, with %s: the run says %s, and the next one goes on",
    async (_, code, fault, words) => {
      await withWorld(150, async ({ org, project, assertComplete }) => {
        org.faults.add(page(LATER, fault));
        const failed = await project.run("accounts");
        expect(failed.code).toBe(1);
        expect(failed.document.records).toMatchObject({ fetched: PAGE, loaded: PAGE, queued: 0 });
        expect(failed.document.error).toMatchObject({
          class: "transient",
          code,
          message: expect.stringContaining(words),
          place: expect.stringMatching(/^salesforce: GET .*\/query\//),
          fix: "Try again later: a run goes on where this one stopped.",
        });
        expect(failed.stderr).toContain(`error[${code}] salesforce: GET `);
        org.faults.clear();
        const next = await project.run("accounts");
        expect(next.code).toBe(0);
        expect(next.document.records.fetched).toBe(liveIds(org, "Account").length - PAGE);
        assertComplete();
      });
    },
  );

  it("where asking again cannot help the run ends at once with the reason, each time one page further", async () => {
    await withWorld(420, async ({ org, project, assertComplete }) => {
      const cases: readonly (readonly [FaultRule, number, object])[] = [
        [
          page(LATER, { kind: "expireToken" }),
          3,
          {
            class: "auth",
            code: "SALESFORCE_INVALID_SESSION_ID",
            message: "INVALID_SESSION_ID: Session expired or invalid",
            fix: "Sign in again: the grant may have been revoked.",
          },
        ],
        [
          page(2, { kind: "answer", status: 200, body: { records: "none" } }),
          1,
          {
            class: "transient",
            code: "SALESFORCE_UNEXPECTED_ANSWER",
            message: "the query's answer has no records",
            fix: "Try again later: a run goes on where this one stopped.",
          },
        ],
        [
          page(2, { kind: "answer", status: 200, body: { totalSize: 1, done: true, records: [null] } }),
          1,
          {
            class: "transient",
            code: "SALESFORCE_UNEXPECTED_ANSWER",
            message: "a record of the answer is no object",
            place: "salesforce Account",
          },
        ],
        [
          page(2, { kind: "poisonRecord", poison: "wrongType", field: "SystemModstamp", record: 3 }),
          1,
          {
            code: "SALESFORCE_UNEXPECTED_ANSWER",
            message: expect.stringMatching(
              /^a record \(Id 001\w{15}\) has no SystemModstamp of the form .* to place it by$/,
            ),
            place: "salesforce Account",
          },
        ],
        [
          page(3, { kind: "repeatNextRecordsUrl" }),
          1,
          {
            class: "transient",
            code: "SALESFORCE_REPEATED_PAGE",
            message: "Salesforce answered with a page that was read before",
            place: "salesforce Account",
            fix: "Run the flow again: it resumes behind the last record.",
          },
        ],
      ];
      let loaded = 0;
      for (const [rule, code, error] of cases) {
        org.faults.set({ rules: [rule] });
        const failed = await project.run("accounts");
        expect(failed.document).toMatchObject({ status: "failed", error });
        expect(failed.code).toBe(code);
        expect(failed.document.records.loaded).toBeGreaterThan(0);
        expect(failed.document.repeated).toBe(0);
        loaded += failed.document.records.loaded;
      }
      org.faults.clear();
      const { code, document } = await project.run("accounts");
      expect(code).toBe(0);
      expect(document.records.loaded).toBe(liveIds(org, "Account").length - loaded);
      assertComplete();
    });
  });
});

describe("records that are hard to hold", OPTIONS, () => {
  /** Characters that some part on the way refuses: NUL for C, U+FFFE and U+FFFF for Amazon SQS, line ends for NDJSON. */
  const HARD = [
    "nul \u0000 inside",
    "noncharacters \uffff \ufffe",
    "controls \u0001 \b \u001b \u007f \u0085",
    "line ends \r\n \u2028 \u2029",
    "\ufeffbyte order mark",
    "quotes \" \\ , ; '",
    "replacement \ufffd 😀",
  ];

  it("land whole in every sink, or rest in the dead letters with the reason", async () => {
    await withWorld(300, async ({ org, project }) => {
      const ids = liveIds(org, "Account").slice(0, HARD.length);
      // Changed last, so that they stand on the last page, which no fault strikes.
      ids.forEach((id, n) => {
        org.org.touch("Account", [id], { Name: HARD[n] ?? "" }, Date.UTC(2025, 11, 1));
      });
      const poison = (
        nth: number,
        name: "hugeText" | "loneSurrogate" | "duplicateKey" | "wrongType",
        field: string,
      ) => page(nth, { kind: "poisonRecord", poison: name, record: 7, field });
      for (const rule of [
        poison(1, "hugeText", "Name"),
        poison(2, "loneSurrogate", "Name"),
        poison(3, "duplicateKey", "Name"),
        poison(4, "wrongType", "NumberOfEmployees"),
      ])
        org.faults.add(rule);
      project.flow(
        "accounts",
        "Account",
        [
          JSONL,
          "{ connection: files, path: parquet, format: parquet }",
          "{ connection: files, path: csv, format: csv, compression: none }",
          "{ connection: warehouse, table: accounts, write: upsert, key: [Id] }",
        ],
        "map:\n  - { from: Id, to: Id }\n  - { from: Name, to: Name }\n  - { from: NumberOfEmployees, to: Staff }\n" +
          "errors: { maxRejected: 3 }",
      );
      const { code, document, stderr } = await project.run("accounts");
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const all = liveIds(org, "Account");
      expect(document.records).toMatchObject({
        fetched: all.length,
        loaded: all.length - 3,
        deadLettered: 3,
      });

      // In the order of their pages.
      const letters = await project.deadLetters("accounts");
      expect(letters).toMatchObject([
        {
          stage: "map",
          rule: "lone surrogate on Name",
          reason:
            'Name holds half a character (the lone surrogate \\ud83d in "broken \ufffd emoji"), which UTF-8 cannot ' +
            "hold: correct it at the source, or leave the field out of map",
        },
        {
          stage: "source",
          rule: "duplicate key on Name",
          reason:
            "the key Name occurs twice in this record, and only the source knows which value holds: correct the " +
            "record there",
        },
        {
          stage: "map",
          rule: "type integer on NumberOfEmployees",
          reason: 'NumberOfEmployees is {"unexpected":["object",1,null]}, expected an integer within 64 bits',
        },
      ]);
      const show = async (index: number) =>
        JSON.parse((await project.line(`dead-letters show ${letters[index]?.messageId} --json`)).stdout)
          .record;
      const shown = [await show(0), await show(1), await show(2)];
      // The very text, half a character and all.
      expect(shown[0].Name).toBe("broken \ud83d emoji");
      expect(shown[2].NumberOfEmployees).toEqual({ unexpected: ["object", 1, null] });
      const landed = project.landed("accounts");
      expect([...landedIds(landed), ...shown.map(({ Id }) => Id)].sort()).toEqual(all);

      const names = landed.map(({ Name }) => String(Name));
      expect(names).toContain("x".repeat(2 * 1024 * 1024));
      expect(names.filter((name) => /broken|the second value/.test(name))).toEqual([]);
      expect(ids.map((id) => landed.find((record) => record.Id === id)?.Name)).toEqual(HARD);

      // In hex: the DuckDB client for Node drops a byte order mark from what it hands out.
      const named = "select hex(Name) from SOURCE order by Id";
      const expected = landed
        .sort((a, b) => (String(a.Id) < String(b.Id) ? -1 : 1))
        .map(({ Name }) => Buffer.from(String(Name)).toString("hex").toUpperCase());
      expect(await project.rows(named.replace("SOURCE", "accounts"))).toEqual(expected);
      const files = (format: string) => `read_${format}('${project.dir}/landed/${format}/**/*.${format}')`;
      expect(await project.query(named.replace("SOURCE", files("parquet")))).toEqual(expected);
      // read_csv reads lines of at most 2 MB unless told otherwise.
      const csv = files("csv").replace("')", "', max_line_size = 10000000, all_varchar = true)");
      expect(await project.query(named.replace("SOURCE", csv))).toEqual(expected);
    });
  });

  it("stay dead letters for as long as nothing changed, and go back once the flow leaves the field out", async () => {
    await withWorld(60, async ({ org, project, assertComplete }) => {
      org.faults.add(page(1, { kind: "poisonRecord", poison: "loneSurrogate", record: 3, field: "Name" }));
      org.faults.add(page(2, { kind: "poisonRecord", poison: "duplicateKey", record: 3, field: "Name" }));
      const { code, document } = await project.run("accounts");
      expect(code).toBe(0);
      expect(document.records).toMatchObject({ deadLettered: 2 });
      const letters = await project.deadLetters("accounts");

      const previewed = await project.line("dead-letters redrive --flow accounts --dry-run --json");
      const again = await project.line("dead-letters redrive --flow accounts --json");
      for (const { stdout } of [previewed, again])
        expect(JSON.parse(stdout)).toMatchObject([
          { redriven: 0, stillRejected: letters.map(({ messageId, reason }) => ({ messageId, reason })) },
        ]);

      project.flow("accounts", "Account", [JSONL], 'map: ["*", { drop: Name }]');
      const rest = await project.line("dead-letters redrive --flow accounts --json");
      expect(JSON.parse(rest.stdout)).toMatchObject([{ redriven: 1 }]);
      expect(await project.deadLetters("accounts")).toMatchObject([{ rule: "duplicate key on Name" }]);
      const left = liveIds(org, "Account").filter(
        (id) => !landedIds(project.landed("accounts")).includes(id),
      );
      expect(left).toHaveLength(1);
      // Corrected at its source a minute ago, which the lookback covers.
      org.org.touch("Account", left, { Name: "corrected" }, Date.now() - 60_000);
      await project.run("accounts");
      assertComplete();
    });
  });

  it("rest in the dead letters even when one is larger than a message, and go back from there", async () => {
    await withWorld(60, async ({ org, project, assertComplete }) => {
      org.faults.add(page(1, { kind: "poisonRecord", poison: "hugeText", field: "Name" }));
      const rule = "validate:\n  - { field: Name, rule: maxLength, length: 300 }\nerrors: { maxRejected: 0 }";
      project.flow("accounts", "Account", [JSONL], rule);
      const rejected = await project.run("accounts");
      expect(rejected.code).toBe(4);
      expect(rejected.document.error).toMatchObject({
        code: "TOO_MANY_REJECTED",
        place: "accounts",
        fix: "See why: sluice dead-letters list --flow accounts",
      });
      expect(rejected.document.records).toMatchObject({ deadLettered: 1 });
      const [letter] = await project.deadLetters("accounts");
      expect(letter?.reason).toMatch(/^Name is "x{10,}.* at most 300 characters$/);
      project.flow("accounts", "Account", [JSONL]);
      const redrive = await project.line("dead-letters redrive --flow accounts --json");
      expect(redrive.code).toBe(0);
      assertComplete();
      expect(project.landed("accounts").map(({ Name }) => String(Name).length)).toContain(2 * 1024 * 1024);
      expect(await project.deadLetters("accounts")).toEqual([]);
    });
  });
});
