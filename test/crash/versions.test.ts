import { expect, it } from "vitest";
import { compareVersions } from "./versions.js";

const wanted = [
  { key: "1", version: "new" },
  { key: "2", version: "only" },
];
const old = { key: "1", version: "old" };

it.each([
  ["all there", wanted, 0, 0],
  ["an older version beside the current one", [...wanted, old], 0, 0],
  ["a record that is missing", wanted.slice(1), 1, 0],
  ["a record that stayed as it was", [old, ...wanted.slice(1)], 1, 0],
  ["a version that came twice", [...wanted, ...wanted.slice(0, 1)], 0, 1],
])("finds in files: %s", (_, landed, lost, extra) => {
  expect(compareVersions(wanted, landed, "every version")).toEqual({ lost, extra });
});

it.each([
  ["all there", wanted, 0, 0],
  ["two versions of one record", [...wanted, old], 0, 1],
  ["a record that stayed as it was", [old, ...wanted.slice(1)], 1, 0],
  ["a record that is there no more", [...wanted, { key: "3", version: "gone" }], 0, 1],
])("finds in a table: %s", (_, landed, lost, extra) => {
  expect(compareVersions(wanted, landed, "current only")).toEqual({ lost, extra });
});
