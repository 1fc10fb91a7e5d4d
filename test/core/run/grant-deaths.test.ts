import { describe, expect, it } from "vitest";
import {
  type Environment,
  Secret,
  systemClock,
  systemRandom,
  type TokenRequest,
} from "../../../core/contracts/index.js";
import { grantLease, readGrant } from "../../../core/run/grant-record.js";
import { Grants } from "../../../core/run/grants.js";
import { memoryEnvironment, TokenCipher } from "../../../core/store/index.js";
import { LogSpy } from "../http/log-spy.js";
import { scratchDir } from "../store/scratch-dir.js";
import { appWith, GrantingAccount, SPEC } from "./granting-account.js";

const KEY = new Secret("cd".repeat(32));

class Died extends Error {}

/** Counts the steps of a process and ends it at one of them; what comes after has no effect. */
class Life {
  #left: number;
  constructor(steps: number) {
    this.#left = steps;
  }
  step(): void {
    if (--this.#left < 0) throw new Died();
  }
  get isOver(): boolean {
    return this.#left < 0;
  }
}

interface World {
  readonly environment: Environment;
  readonly account: GrantingAccount;
  readonly dataDir: string;
}

/** Refreshes as a process would whose steps are counted: before and after each commit and each answer of the account. */
async function refresh({ environment, account, dataDir }: World, life: Life): Promise<string> {
  const mortal: Environment = {
    queues: environment.queues,
    store: environment.store,
    transaction: async (work) => {
      life.step();
      const result = await environment.transaction(work);
      life.step();
      return result;
    },
    close: () => Promise.resolve(),
  };
  const exchange: TokenRequest["exchange"] = async (token, signal) => {
    life.step();
    const answer = await account.exchange(token, signal);
    life.step();
    return answer;
  };
  const grants = new Grants({
    environment: () => Promise.resolve(mortal),
    cipher: new TokenCipher(dataDir, KEY),
    clock: systemClock,
    random: systemRandom,
    log: new LogSpy(),
    onSecret: () => undefined,
  });
  const owner = { connection: "crm", config: {}, app: appWith("refresh-0"), spec: SPEC };
  const keeper = grants.keeper(owner);
  const { signal } = new AbortController();
  const first = await keeper.obtain({ refused: undefined, exchange, signal });
  const second = await keeper.obtain({ refused: first.accessToken, exchange, signal });
  return second.accessToken.open();
}

describe.each([
  ["takes the old refresh token for a while", true],
  ["kills the old refresh token at once", false],
])("a process that dies at any step, with an account that %s", (_what, grace) => {
  it("leaves a grant that the next one goes on with, or one clear error where the answer is lost", async () => {
    const dir = scratchDir();
    let deaths = 0;
    let losses = 0;
    try {
      for (let steps = 0; ; steps++) {
        const environment = memoryEnvironment({ clock: systemClock, random: systemRandom });
        const account = new GrantingAccount();
        account.grace = grace;
        const world = { environment, account, dataDir: dir.path };
        const life = new Life(steps);
        const outcome = await refresh(world, life).catch((error: unknown) => error);
        if (!life.isOver) {
          expect(outcome).toBe("access-2");
          break;
        }
        expect(outcome).toBeInstanceOf(Died);
        deaths++;
        // Its lease goes with it.
        await environment.transaction(({ store }) => store.deleteLease(grantLease("crm")));
        const record = readGrant(environment.store, "crm");
        const isLost =
          account.refreshToken !== "refresh-0" &&
          account.asked.at(-1) !== undefined &&
          record?.revision !== Number(account.refreshToken.replace("refresh-", ""));
        const next = await refresh(world, new Life(1_000)).catch((error: unknown) => error);
        if (isLost && !grace) {
          losses++;
          expect(next).toMatchObject({
            code: "GRANT_REVOKED",
            message: expect.stringContaining("was cut off"),
          });
        } else {
          expect(next, `died after ${steps} steps`).toMatch(/^access-\d$/);
        }
        await environment.close();
      }
    } finally {
      dir.remove();
    }
    // Two refreshes, each with its commits and its answer.
    expect(deaths).toBeGreaterThanOrEqual(16);
    // The answer, and the commit that would have kept it: for each of both refreshes.
    expect(losses).toBe(grace ? 0 : 4);
  });
});
