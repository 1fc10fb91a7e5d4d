import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Environment } from "../../core/contracts/index.js";
import type { VirtualClock } from "../virtual-clock.js";
import { checkpoint } from "./store.js";

export interface EnvironmentSubject {
  readonly environment: Environment;
  readonly clock: VirtualClock;
  close(): Promise<void>;
}

/** The transactions over queues and store (Environment.transaction) as a suite. */
export function environmentContract(name: string, make: () => Promise<EnvironmentSubject>): void {
  describe(`environment contract: ${name}`, () => {
    let subject: EnvironmentSubject;
    let environment: Environment;
    beforeEach(async () => {
      subject = await make();
      environment = subject.environment;
      await environment.queues.createQueue("q");
      await environment.queues.createQueue("p");
    });
    afterEach(() => subject.close());

    const bodies = (queue: string) =>
      environment.queues.peek(queue, { limit: 1_000 }).map((message) => message.body().toString());

    it("sends to several queues and checkpoints in one", async () => {
      const sent = await environment.transaction(({ queues, store }) => {
        store.putCheckpoint(checkpoint("f", 1));
        // No limit of ten: that belongs to the wire.
        const ids = queues.send(
          "q",
          Array.from({ length: 25 }, (_, i) => ({ body: `q${i}` })),
        );
        queues.send("p", [{ body: "p", attributes: { a: "b" } }]);
        return ids;
      });
      expect(sent).toHaveLength(25);
      expect(bodies("q")).toHaveLength(25);
      expect(bodies("p")).toEqual(["p"]);
      expect(environment.store.checkpoint("f")).toEqual(checkpoint("f", 1));
      expect(environment.queues.depth("q").ApproximateNumberOfMessages).toBe(25);
    });

    it("undoes everything of a work that throws, and passes its error on", async () => {
      await environment.queues.send("q", [{ body: "kept" }]);
      const [held] = await environment.queues.receive("q", { maxNumberOfMessages: 1 });
      const staged = await environment.queues.stage("s".repeat(300_000));
      const before = environment.queues.depth("q");
      const boom = new Error("boom");
      await expect(
        environment.transaction(({ queues, store }) => {
          queues.send("q", [{ body: "new" }, { body: staged }]);
          queues.delete("q", [held?.receiptHandle ?? ""]);
          queues.send("p", [{ body: "new" }]);
          store.putCheckpoint(checkpoint("f", 1));
          store.put("k", "v");
          throw boom;
        }),
      ).rejects.toBe(boom);
      expect(environment.queues.depth("q")).toEqual(before);
      expect(held?.body().toString()).toBe("kept");
      expect(bodies("p")).toEqual([]);
      expect(environment.store.checkpoint("f")).toBeUndefined();
      expect(environment.store.get("k")).toBeUndefined();
      await environment.queues.send("p", [{ body: staged }]);
      expect(bodies("p")[0]).toHaveLength(300_000);
    });

    it("undoes what a refused entry came with", async () => {
      await expect(
        environment.transaction(({ queues, store }) => {
          store.put("k", "v");
          queues.send("q", [{ body: "fine" }]);
          queues.send("q", [{ body: "\u0000" }]);
        }),
      ).rejects.toMatchObject({ code: "InvalidMessageContents" });
      expect(bodies("q")).toEqual([]);
      expect(environment.store.get("k")).toBeUndefined();
    });

    it("keeps concurrent works apart: one that throws leaves its neighbours whole", async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) =>
          environment.transaction(({ queues, store }) => {
            queues.send("q", [{ body: `m${i}` }]);
            store.put("last", i);
            store.put(`k${i}`, i);
            if (i % 3 === 1) throw new Error(`no ${i}`);
            return i;
          }),
        ),
      );
      const wanted = Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 3 !== 1);
      expect(outcomes.flatMap((o) => (o.status === "fulfilled" ? [o.value] : []))).toEqual(wanted);
      expect(bodies("q")).toEqual(wanted.map((i) => `m${i}`));
      expect(environment.queues.depth("q").ApproximateNumberOfMessages).toBe(40);
      expect(environment.store.get("last")).toBe(59);
      for (let i = 0; i < 60; i++) expect(environment.store.get(`k${i}`)).toBe(i % 3 === 1 ? undefined : i);
    });

    it("shows a work its own writes and those of the works before it", async () => {
      const seen = await Promise.all([
        environment.transaction(({ store }) => {
          store.put("n", 1);
          return store.get("n");
        }),
        environment.transaction(({ store }) => {
          const before = store.get("n");
          store.put("n", 2);
          return [before, store.get("n")];
        }),
      ]);
      expect(seen).toEqual([1, [1, 2]]);
    });

    it("deletes by id whatever the state, and counts those that were there", async () => {
      const { queues } = environment;
      const sent = await queues.send("q", [{ body: "a" }, { body: "b" }, { body: "c", delayMs: 1_000 }]);
      await queues.receive("q", { maxNumberOfMessages: 1 });
      const [foreign] = await queues.send("p", [{ body: "p" }]);
      const ids = [...sent, ...(foreign ? [foreign] : [])].map((message) => message.messageId);
      const removed = await environment.transaction((tx) => tx.queues.deleteById("q", [...ids, "x", ...ids]));
      expect(removed).toBe(3);
      expect(queues.depth("q")).toMatchObject({ bytes: 0, records: 0, oldestSentAt: undefined });
      expect(bodies("p")).toEqual(["p"]);
    });

    it("wakes a long poll when the transaction is done, and not when it is undone", async () => {
      const waiting = environment.queues.receive("q", { maxNumberOfMessages: 1, waitTimeMs: 20_000 });
      await subject.clock.advance(1);
      await expect(
        environment.transaction(({ queues }) => {
          queues.send("q", [{ body: "undone" }]);
          throw new Error("no");
        }),
      ).rejects.toThrow("no");
      await environment.transaction(({ queues }) => queues.send("q", [{ body: "done" }]));
      expect((await waiting).map((message) => message.body().toString())).toEqual(["done"]);
    });

    it("refuses work that is asynchronous, and undoes it", async () => {
      await expect(environment.transaction(async ({ store }) => store.put("k", 1))).rejects.toMatchObject({
        kind: "invariant",
        code: "ASYNC_TRANSACTION",
      });
      expect(environment.store.get("k")).toBeUndefined();
    });

    it("closes once, and refuses work afterwards", async () => {
      const last = environment.transaction(({ store }) => store.put("k", 1));
      await environment.close();
      await last;
      await environment.close();
      await expect(environment.transaction(() => 1)).rejects.toMatchObject({ code: "ENVIRONMENT_CLOSED" });
    });
  });
}
