import { setTimeout as sleep } from "node:timers/promises";
import { KilledWorld } from "./killed-world.js";

/** Pages that a run may fetch before it is killed, at most. */
const MOST_PAGES = 4;
/** Behind the last of them. */
const MOST_DELAY_MS = 60;
const LOOK_MS = 2;
/** Of the kills, those that fall anywhere: while it starts, while it loads, while it ends. */
const ANYWHERE = 0.2;

/** Kills while a source is read: most of them a little after its fake has served some more pages. */
export abstract class SourceWorld extends KilledWorld {
  protected override async instant(usualMs: number, ended: AbortSignal): Promise<void> {
    if (this.random() < ANYWHERE) return super.instant(usualMs, ended);
    const served = this.pagesServed() + 1 + Math.floor(this.random() * MOST_PAGES);
    const delayMs = this.random() * MOST_DELAY_MS;
    while (this.pagesServed() < served) await sleep(LOOK_MS, undefined, { signal: ended });
    await sleep(delayMs, undefined, { signal: ended });
  }
}
