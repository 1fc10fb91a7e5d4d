import { afterEach, beforeEach, expect, test } from "vitest";
import { loadOf, plainRecord } from "../../contracts/sample.js";
import { FolderFixture } from "./folder-fixture.js";

const signal = new AbortController().signal;
let fixture: FolderFixture;
beforeEach(() => {
  fixture = new FolderFixture();
});
afterEach(() => fixture.remove());

const open = (format: "parquet" | "jsonl") =>
  fixture
    .connect()
    .open(fixture.target({ name: "a", write: "append", format, compression: "none" }), "accounts");

test("a load that was written before the flow got another format is not written again", async () => {
  const load = loadOf([plainRecord(1), plainRecord(2)]);
  const first = await open("jsonl").write(load, signal);
  const again = await open("parquet").write({ ...load, resumed: true }, signal);
  expect(again.files).toEqual(first.files);
  expect(again).toMatchObject({ records: 2, repeated: true });
  const [next] = (await open("parquet").write(loadOf([plainRecord(3)], { number: 1 }), signal)).files;
  expect(next?.path).toMatch(/\.parquet$/);
});
