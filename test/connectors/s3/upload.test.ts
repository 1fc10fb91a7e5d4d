import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Clock, Load, LoadReceipt, SinkWriter } from "../../../core/contracts/index.js";
import { loadOf, plainRecord } from "../../contracts/sample.js";
import type { Operation } from "../../fakes/s3/index.js";
import { VirtualClock } from "../../virtual-clock.js";
import { BUCKET, S3Fixture } from "./s3-fixture.js";

const signal = new AbortController().signal;
const MIB = 2 ** 20;
let fixture: S3Fixture;
let serial = 0;

beforeAll(async () => {
  fixture = await S3Fixture.start({ pageKeys: 7 });
});
afterEach(() => fixture.fake.faults.clear());
afterAll(() => fixture.close());

interface OpenOptions {
  readonly target?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
  readonly clock?: Clock;
}

/** A writer into a path of its own. */
function open({ target = {}, config = {}, clock }: OpenOptions = {}): { path: string; writer: SinkWriter } {
  const path = `p${serial++}`;
  return { path, writer: reopen(path, { target, config, ...(clock === undefined ? {} : { clock }) }) };
}

function reopen(path: string, { target = {}, config = {}, clock }: OpenOptions = {}): SinkWriter {
  const options = { name: path, write: "append" as const, format: "jsonl" as const, compression: "none" };
  const context = clock === undefined ? {} : { clock };
  return fixture.connect(config, context).open(fixture.target({ ...options, ...target }), "accounts");
}

/** 11 MB are three parts of the sizes that the fixture takes. */
function large(megabytes = 11): Load {
  const name = "x".repeat(MIB);
  return loadOf(Array.from({ length: megabytes }, (_, at) => plainRecord(at + 1, { name })));
}

async function thrown(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function count(operation: Operation, path: string): number {
  return fixture.fake.requests.filter(
    (request) => request.operation === operation && request.key?.startsWith(path),
  ).length;
}

/** A clock whose sleeps are over at once. */
function hastyClock(): { clock: Clock; waits: number[] } {
  const waits: number[] = [];
  const real = new VirtualClock(Date.now());
  const clock: Clock = {
    now: () => real.now(),
    monotonicMs: () => real.monotonicMs(),
    every: (ms, task) => real.every(ms, task),
    sleep: async (ms) => void waits.push(ms),
  };
  return { clock, waits };
}

describe("large files", () => {
  test("go up in parts, marked, and come down whole", async () => {
    const { path, writer } = open();
    const load = large();
    const receipt = await writer.write(load, signal);
    expect(receipt).toMatchObject({ records: 11, bytes: load.bytes, repeated: false });
    const [key = ""] = fixture.keys(path);
    const object = fixture.fake.get(BUCKET, key);
    expect(object?.etag).toMatch(/-3"$/);
    expect(object?.metadata["sluice-load"]).toBe(load.id);
    const chunks: Buffer[] = [];
    for await (const chunk of load.chunks()) chunks.push(chunk);
    expect(object?.body.equals(Buffer.concat(chunks))).toBe(true);
  });

  test("are not sent again when they are there", async () => {
    const { path, writer } = open();
    const load = large();
    await writer.write(load, signal);
    const before = count("UploadPart", path);
    expect(await reopen(path).write(load, signal)).toMatchObject({ repeated: true, bytes: load.bytes });
    expect(count("UploadPart", path)).toBe(before);
  });

  test("completed, answer lost: the upload is gone, the object is ours", async () => {
    const { path, writer } = open({ clock: hastyClock().clock });
    fixture.fake.faults.add({ operation: "CompleteMultipartUpload", action: { type: "resetAfter" } });
    expect(await writer.write(large(), signal)).toMatchObject({ records: 11 });
    expect(fixture.keys(path)).toHaveLength(1);
    expect(count("CreateMultipartUpload", path)).toBe(1);
  });

  test("200 with an error inside: transient, then whole", async () => {
    const { path, writer } = open();
    const action = { type: "status", status: 200, code: "InternalError" } as const;
    fixture.fake.faults.add({ operation: "CompleteMultipartUpload", times: 3, action });
    expect(await thrown(writer.write(large(), signal))).toMatchObject({ kind: "transient" });
    expect(fixture.keys(path)).toEqual([]);
    expect((await reopen(path).write(large(), signal)).records).toBe(11);
  });

  test("409 on completing: a new upload with all parts", async () => {
    const { path, writer } = open({ clock: hastyClock().clock });
    const action = { type: "status", status: 409, code: "ConditionalRequestConflict" } as const;
    fixture.fake.faults.add({ operation: "CompleteMultipartUpload", action });
    expect(await writer.write(large(), signal)).toMatchObject({ records: 11, repeated: false });
    expect(count("CreateMultipartUpload", path)).toBe(2);
    expect(count("UploadPart", path)).toBe(6);
    expect(fixture.fake.openUploads(BUCKET)).toEqual([]);
  });

  test("what a killed upload left behind goes with the next attempt", async () => {
    const { path, writer } = open();
    const strike = fixture.interrupt(5, "before");
    await thrown(writer.write(large(), strike.signal));
    strike.lift();
    expect(fixture.fake.openUploads(BUCKET).filter((key) => key.startsWith(path))).toHaveLength(1);
    await reopen(path).write(large(), signal);
    expect(fixture.fake.openUploads(BUCKET).filter((key) => key.startsWith(path))).toEqual([]);
  });

  test("interrupted at any step, then repeated: one object, each row once", async () => {
    const load = large(6);
    for (const when of ["before", "after"] as const) {
      for (let step = 0; ; step++) {
        const { path, writer } = open();
        const strike = fixture.interrupt(step, when);
        await thrown(writer.write(load, strike.signal));
        strike.lift();
        const receipt: LoadReceipt = await reopen(path).write(load, signal);
        expect([when, step, receipt.records, receipt.bytes]).toEqual([when, step, 6, load.bytes]);
        expect(fixture.keys(path)).toHaveLength(1);
        if (!strike.struck()) break;
        expect(step).toBeLessThan(20);
      }
    }
  });
});
