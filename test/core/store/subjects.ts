import type { Environment, Queues } from "../../../core/contracts/index.js";
import { memoryEnvironment, openEnvironment } from "../../../core/store/index.js";
import { seededRandom } from "../../seeded-random.js";
import { VirtualClock } from "../../virtual-clock.js";
import { scratchDir } from "./scratch-dir.js";

/** An environment on a virtual clock, as the contract suites take it. */
export interface Subject {
  readonly environment: Environment;
  readonly queues: Queues;
  readonly clock: VirtualClock;
  close(): Promise<void>;
}

export interface DurableSubject extends Subject {
  readonly dataDir: string;
  reopen(): Promise<DurableSubject>;
}

export async function memorySubject(seed = 1): Promise<Subject> {
  const clock = new VirtualClock();
  const environment = memoryEnvironment({ clock, random: seededRandom(seed) });
  return { environment, queues: environment.queues, clock, close: () => environment.close() };
}

export async function durableSubject(seed = 1): Promise<DurableSubject> {
  const folder = scratchDir();
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const over = async (): Promise<DurableSubject> => {
    // fsync is what the crash test is for; the suites only need the process to live.
    const environment = await openEnvironment({ dataDir: folder.path, clock, random, sync: "none" });
    return {
      environment,
      queues: environment.queues,
      clock,
      dataDir: folder.path,
      close: async () => {
        await environment.close();
        folder.remove();
      },
      reopen: async () => {
        await environment.close();
        return over();
      },
    };
  };
  return over();
}
