/** Lint of damaged files, over random input. fast-check prints seed and path of a failure. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flowText, project } from "./project.js";

describe("lint", () => {
  const VALID = flowText(`description: what it is for
trigger: { type: schedule, cron: "0 * * * *", timezone: Europe/Berlin }
filter:
  - { field: Amount, greaterThan: 1000 }
  - any: [{ field: Name, in: [a, b] }, { not: { field: Name, isNull: true } }]
map:
  - "*"
  - { from: [First, Last], join: " ", to: full_name }
  - { from: Email, mask: { first: 4 } }
  - { from: Email, hash: { secret: "\${env:PEPPER}" }, to: email_key }
validate:
  - { field: full_name, rule: maxLength, length: 80, onFail: drop }
errors: { maxRejected: 1% }`);

  const snippet = fc.oneof(
    fc.constantFrom(
      ":",
      "{",
      "}",
      "[",
      "]",
      "- ",
      "\n",
      "\n  ",
      "\t",
      "&a ",
      "*a ",
      "*",
      "!!",
      '"',
      "'",
      "#",
      "|",
      ">",
      "?",
      "null",
      `\${env:X}`,
      `\${file:}`,
      "__proto__: 1",
      "---\n",
      "\u0000",
      "😀",
      "\ud800",
      "1e999",
      "~",
    ),
    fc.string({ maxLength: 5 }),
  );
  const edit = fc.record({ at: fc.nat(VALID.length), remove: fc.nat(12), insert: snippet });

  test("whatever is done to a flow file or sluice.yaml, problems come with a place inside the file and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.boolean(), (edits, inProject) => {
        const yaml =
          "buffer: { highWater: 1GiB }\nserver: { port: 8080 }\nconnections:\n  crm: { connector: crm, instanceUrl: https://crm.example, auth: { type: token, accessToken: x } }\n  lake: { connector: files, path: out }\n";
        let broken = inProject ? yaml : VALID;
        for (const { at, remove, insert } of edits)
          broken = broken.slice(0, at) + insert + broken.slice(at + remove);
        const files = inProject
          ? { "sluice.yaml": broken, "flows/a.yaml": VALID }
          : { "sluice.yaml": yaml, "flows/a.yaml": broken };
        const { problems, flows } = project(files, { PEPPER: "x" });
        for (const problem of problems) {
          const lines = (problem.file === "sluice.yaml" ? files["sluice.yaml"] : files["flows/a.yaml"]).split(
            "\n",
          );
          expect(lines.length).toBeGreaterThanOrEqual(problem.line);
          expect((lines[problem.line - 1]?.length ?? 0) + 1).toBeGreaterThanOrEqual(problem.column);
          expect(problem.message).not.toBe("");
          expect(problem.code).toMatch(/^[A-Z][A-Z_]+$/);
        }
        if (problems.length === 0) expect(flows.size).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
