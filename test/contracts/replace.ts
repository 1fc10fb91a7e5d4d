import { expect, test } from "vitest";
import type {
  FinishedRun,
  Load,
  LoadReceipt,
  Schema,
  SinkWriter,
  WriteMode,
} from "../../core/contracts/index.js";
import { eachStep, finished, records, type SinkFixture, settled, type TargetOptions } from "./fixture.js";
import { loadOf } from "./sample.js";

const RUN_1 = "20260101T000000000Z-0001";
const RUN_2 = "20260102T000000000Z-0002";
const RUN_3 = "20260103T000000000Z-0003";

/** What sinkContract hands over. */
export interface SinkBench {
  open(options: TargetOptions, flow?: string): SinkWriter;
  prepare(writer: SinkWriter, load: Pick<Load, "flow" | "run" | "generation" | "schema">): Promise<unknown>;
  write(writer: SinkWriter, load: Load): Promise<LoadReceipt>;
  ids(target: string, schema?: Schema): Promise<number[]>;
  freshName(): string;
  needs(mode: WriteMode, skip: (why: string) => void): void;
}

/** The part of the sink contract about `write: replace`. */
export function replaceContract(fixtureOf: () => SinkFixture, bench: SinkBench): void {
  const { open, prepare, write, ids, freshName, needs } = bench;
  const signal = () => new AbortController().signal;

  const flow = "accounts";
  const write3 = async (target: string, run: string, generation: string, from: number, to: number) => {
    const writer = open({ name: target, write: "replace" }, flow);
    const load = loadOf(records(from, to), { run, generation, flow });
    const receipt = await write(writer, load);
    return { load, receipt };
  };
  const finish = (target: string, run: FinishedRun, aborted = signal()) =>
    open({ name: target, write: "replace" }, run.flow).finish(run, aborted);

  test("a complete generation takes the place of the one before, once, and twice", async (context) => {
    needs("replace", context.skip);
    const target = freshName();
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
    expect(await ids(target)).toEqual([1, 2, 3]);
    const second = finished(RUN_2, RUN_2, true, [await write3(target, RUN_2, RUN_2, 3, 5)]);
    await finish(target, second);
    await finish(target, second);
    expect(await ids(target)).toEqual([3, 4, 5]);
  });

  test("an unfinished generation replaces nothing; the run that resumes it does", async (context) => {
    needs("replace", context.skip);
    const target = freshName();
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
    await finish(target, finished(RUN_2, RUN_2, false, [await write3(target, RUN_2, RUN_2, 11, 12)]));
    const before = await ids(target);
    expect(before.filter((id) => id < 10)).toEqual([1, 2, 3]);
    await finish(target, finished(RUN_3, RUN_2, true, [await write3(target, RUN_3, RUN_2, 13, 14)]));
    expect(await ids(target)).toEqual([11, 12, 13, 14]);
  });

  test("a run that was killed before its finish is part of the generation all the same", async (context) => {
    needs("replace", context.skip);
    const target = freshName();
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
    await write3(target, RUN_2, RUN_2, 11, 12);
    await finish(target, finished(RUN_3, RUN_2, true, [await write3(target, RUN_3, RUN_2, 13, 14)]));
    expect(await ids(target)).toEqual([11, 12, 13, 14]);
  });

  test("a generation given up halfway goes with the next one that completes", async (context) => {
    needs("replace", context.skip);
    const target = freshName();
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
    await write3(target, RUN_2, RUN_2, 11, 12);
    await finish(target, finished(RUN_3, RUN_3, true, [await write3(target, RUN_3, RUN_3, 21, 22)]));
    expect(await ids(target)).toEqual([21, 22]);
  });

  test("a complete generation without rows leaves nothing", async (context) => {
    needs("replace", context.skip);
    const target = freshName();
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
    const writer = open({ name: target, write: "replace" }, flow);
    await prepare(writer, loadOf([], { run: RUN_2 }));
    await writer.finish(finished(RUN_2, RUN_2, true, []), signal());
    expect(await ids(target)).toEqual([]);
  });

  test("a finish interrupted at any step, then repeated, swaps whole", async (context) => {
    needs("replace", context.skip);
    const interrupt = fixtureOf().interrupt?.bind(fixtureOf());
    if (interrupt === undefined)
      return context.skip(fixtureOf().whyNotInterrupted ?? "cannot be interrupted");
    for (const when of ["before", "after"] as const) {
      await eachStep(interrupt, when, async (interruption) => {
        const target = freshName();
        await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 3)]));
        const second = finished(RUN_2, RUN_2, true, [await write3(target, RUN_2, RUN_2, 4, 6)]);
        const strike = interruption();
        await settled(finish(target, second, strike.signal));
        strike.lift();
        const between = await ids(target);
        expect(between).toEqual(expect.arrayContaining([4, 5, 6]));
        await finish(target, second);
        expect(await ids(target)).toEqual([4, 5, 6]);
        return strike.struck();
      });
    }
  });

  test("leaves the rows of another flow in the same place alone", async (context) => {
    needs("replace", context.skip);
    if (fixtureOf().features.kind !== "files") return context.skip("a table has one flow");
    const target = freshName();
    const other = loadOf(records(100, 101), { flow: "contacts" });
    const writer = open({ name: target, write: "replace" }, "contacts");
    const receipt = await write(writer, other);
    await writer.finish(finished(RUN_1, RUN_1, true, [{ load: other, receipt }]), signal());
    await finish(target, finished(RUN_1, RUN_1, true, [await write3(target, RUN_1, RUN_1, 1, 1)]));
    await finish(target, finished(RUN_2, RUN_2, true, [await write3(target, RUN_2, RUN_2, 2, 2)]));
    expect(await ids(target)).toEqual([2, 100, 101]);
  });
}
