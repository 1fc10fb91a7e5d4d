import { describe, expect, it } from "vitest";
import type { QueueBench } from "./queue-bench.js";

/** Tags of queues. Part of the Queue contract (queue.ts). */
export function tagsSuite(bench: QueueBench): void {
  describe("tags", () => {
    const tags = (name = "q") => bench.queues.listQueueTags(name);

    it("are set, overwritten and taken away", async () => {
      expect(tags()).toEqual({});
      await bench.queues.tagQueue("q", { team: "data", Team: "other", empty: "" });
      await bench.queues.tagQueue("q", { team: "ops", "a:b/c d=ü+@": "v" });
      expect(tags()).toEqual({ team: "ops", Team: "other", empty: "", "a:b/c d=ü+@": "v" });
      await bench.queues.untagQueue("q", ["team", "unknown", "TEAM"]);
      expect(tags()).toEqual({ Team: "other", empty: "", "a:b/c d=ü+@": "v" });
      await bench.queues.untagQueue("q", Object.keys(tags()));
      expect(tags()).toEqual({});
    });

    it("may have names that objects have of themselves", async () => {
      const odd = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}');
      await bench.queues.tagQueue("q", odd);
      expect(Object.entries(tags()).sort()).toEqual(Object.entries(odd).sort());
      await bench.queues.untagQueue("q", ["__proto__", "hasOwnProperty"]);
      expect(Object.keys(tags()).sort()).toEqual(["constructor", "toString"]);
    });

    it("keep within the limits", async () => {
      const many = (count: number, from = 0) =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i + from}`, "v"]));
      await bench.queues.tagQueue("q", { ["k".repeat(128)]: "v".repeat(256) });
      await bench.queues.untagQueue("q", ["k".repeat(128)]);
      const beyond: Record<string, string>[] = [
        { "": "v" },
        { ["k".repeat(129)]: "v" },
        { k: "v".repeat(257) },
        { "aws:k": "v" },
      ];
      for (const refused of beyond)
        await expect(bench.queues.tagQueue("q", { fine: "v", ...refused })).rejects.toMatchObject({
          kind: "config",
          code: "InvalidParameterValue",
        });
      expect(tags()).toEqual({});
      await bench.queues.tagQueue("q", many(50));
      await bench.queues.tagQueue("q", many(50));
      await expect(bench.queues.tagQueue("q", many(1, 50))).rejects.toMatchObject({
        kind: "config",
        message: "Too many tags added for queue q.",
      });
      expect(Object.keys(tags())).toHaveLength(50);
    });

    it("belong to an existing queue and go with it", async () => {
      for (const attempt of [
        () => bench.queues.tagQueue("none", { k: "v" }),
        () => bench.queues.untagQueue("none", ["k"]),
        async () => tags("none"),
      ])
        await expect(attempt()).rejects.toMatchObject({ code: "QueueDoesNotExist" });
      await bench.queues.tagQueue("q", { k: "v" });
      await bench.queues.purgeQueue("q");
      expect(tags()).toEqual({ k: "v" });
      await bench.queues.deleteQueue("q");
      await bench.queues.createQueue("q");
      expect(tags()).toEqual({});
    });

    it.skipIf(!bench.features.persistent)("outlive a reopening", async () => {
      await bench.queues.tagQueue("q", { k: "v", empty: "" });
      await bench.reopen();
      expect(tags()).toEqual({ k: "v", empty: "" });
    });
  });
}
