import { SluiceError } from "../../contracts/index.js";
import { evaluateAlarms, type RunHost } from "../../run/index.js";

const EVERY_MS = 15_000;

type Host = Pick<RunHost, "environment" | "project" | "clock" | "log">;

/** Looks at the alarms every so often, so that they fire also while no run ends. */
export class AlarmTick {
  readonly #host: Host;
  readonly #stop: () => void;
  #look: Promise<void> | undefined;

  /** `onFailure`: what is no trouble of the data directory and must not be passed over. */
  constructor(host: Host, onFailure: (error: unknown) => void) {
    this.#host = host;
    const look = () => {
      // A look that takes longer than the interval is not overtaken.
      this.#look ??= this.#evaluate()
        .catch(onFailure)
        .finally(() => {
          this.#look = undefined;
        });
    };
    look();
    this.#stop = host.clock.every(EVERY_MS, look);
  }

  async #evaluate(): Promise<void> {
    const { environment, project, clock, log } = this.#host;
    try {
      await evaluateAlarms(environment, project, clock.now(), log);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      log.warn("the alarms could not be looked at", { error: error.message });
    }
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#look;
  }
}
