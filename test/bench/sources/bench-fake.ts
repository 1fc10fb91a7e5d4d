import { setTimeout as sleep } from "node:timers/promises";
import { startService } from "../../demo/service.js";
import type { MeasuredSource } from "./measured-source.js";

/** The fake of a source in its bench mode, a process of its own. */
export interface BenchFake {
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when it was asked for something and then for nothing more over half a second. */
  atRest(): Promise<void>;
  stop(): Promise<void>;
}

const QUIET_MS = 500;
const LONGEST_MS = 20_000;

export async function startBenchFake(
  source: MeasuredSource,
  records: number,
  ...args: readonly string[]
): Promise<BenchFake> {
  const script = `test/fakes/${source.name}/main.js`;
  const service = await startService(script, ["--bench", String(records), ...args]);
  const { url, env }: { url: string; env: Record<string, string> } = JSON.parse(
    JSON.stringify(service.ready),
  );
  const asked = async () => {
    const answer = await fetch(`${url.replace(/\/api$/, "")}/__fake/requests`);
    const requests: { total: number } = JSON.parse(await answer.text());
    return requests.total;
  };
  return {
    env,
    stop: () => service.stop(),
    atRest: async () => {
      let before = 0;
      for (let waited = 0; waited < LONGEST_MS; waited += QUIET_MS) {
        await sleep(QUIET_MS);
        const now = await asked();
        if (now > 0 && now === before) return;
        before = now;
      }
      throw new Error(`the reading of ${source.name} does not come to its limit`);
    },
  };
}
