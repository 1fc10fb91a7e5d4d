import { writeSync } from "node:fs";
import { type Message, systemClock, textAttributes } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";

/**
 * A process to be killed: `crash-child.js <dataDir> <name> <seed> <steps>` sends, receives and deletes, and says on
 * stdout what it is about to do and what the queue has acknowledged, one line each, written before it goes on:
 *
 *   sending <body name>...      sent <body name>...      deleting <body name>...      deleted <body name>...
 *
 * Every transaction also moves the numbers `sent` and `deleted` of the store, so that queue and store can be compared.
 */
const [, , dataDir = "", name = "", seed = "1", steps = "0"] = process.argv;
const random = seededRandom(Number(seed));
const environment = await openEnvironment({ dataDir, clock: systemClock, random });
const { queues } = environment;
const below = (n: number) => Math.floor(random.next() * n);
const say = (what: string, names: readonly string[]) => {
  if (names.length > 0) writeSync(1, `${what} ${names.join(" ")}\n`);
};

/** A body that can be checked by itself: its name, its size, and filling that follows from both. */
function bodyOf(bodyName: string, size: number): string {
  return `${bodyName} ${size} `.padEnd(size, bodyName);
}

/** Not read from the body: with a visibility timeout of 0 another process may have deleted the message already. */
function nameOf(message: Message): string {
  return textAttributes(message.attributes).name ?? "";
}

async function send(step: number): Promise<void> {
  const names = Array.from({ length: 1 + below(8) }, (_, i) => `${name}.${step}.${i}`);
  say("sending", names);
  const entries = await Promise.all(
    names.map(async (bodyName) => {
      const size = below(6) === 0 ? 270_000 + below(50_000) : 50 + below(40_000);
      return {
        body: await queues.stage(bodyOf(bodyName, size)),
        delayMs: below(4) === 0 ? below(300) : 0,
        attributes: { name: bodyName },
      };
    }),
  );
  await environment.transaction((tx) => {
    tx.queues.send("q", entries);
    count(tx.store, "sent", names.length);
  });
  say("sent", names);
}

async function receiveAndDelete(): Promise<void> {
  const received = await queues.receive("q", {
    maxNumberOfMessages: 1 + below(10),
    visibilityTimeoutMs: below(3) * 100,
    waitTimeMs: below(2) * 20,
  });
  const chosen = received.filter(() => below(4) > 0);
  const names = chosen.map(nameOf);
  say("deleting", names);
  const removed = await environment.transaction((tx) => {
    // By id, which tells how many were there: another process may have received and deleted them meanwhile.
    const there = tx.queues.deleteById(
      "q",
      chosen.map((message) => message.messageId),
    );
    count(tx.store, "deleted", there);
    return there;
  });
  if (removed > chosen.length) throw new Error(`deleted ${removed} of ${chosen.length}`);
  say("deleted", names);
}

function count(
  store: { get(key: string): unknown; put(key: string, value: number): void },
  key: string,
  by: number,
): void {
  store.put(key, Number(store.get(key) ?? 0) + by);
}

await queues.createQueue("q");
for (let step = 0; step < Number(steps); step++) {
  // Two at a time, so that group commit has something to group.
  await Promise.all([send(step), receiveAndDelete()]);
}
await environment.close();
