import { systemClock, systemRandom } from "../../../core/contracts/index.js";
import { openEnvironment } from "../../../core/store/index.js";
import { type Turn, take } from "./turns.js";

/** `turns-child.js <dataDir>`: takes its turns at the queues of a data directory that another process has open as well. */
const [dataDir = ""] = process.argv.slice(2);
const environment = await openEnvironment({
  dataDir,
  clock: systemClock,
  random: systemRandom,
  sync: "none",
});
process.on("message", (turn: Turn) => {
  void take(environment.queues, turn).then((bodies) => process.send?.(bodies));
});
process.on("disconnect", () => void environment.close());
process.send?.([]);
