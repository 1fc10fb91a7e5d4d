import { describe, expect, it } from "vitest";
import { STREAMS } from "../../../connectors/zendesk/streams.js";
import type { Source } from "../../../core/contracts/index.js";
import { SourceLedger } from "../../contracts/source-ledger.js";
import { PatientClock } from "../../core/http/patient-clock.js";
import { startZendeskFake } from "../../fakes/zendesk/index.js";
import { seededRandom } from "../../seeded-random.js";
import { connectTo, recordsOf, requestFor } from "./account.js";
import { sized } from "./desk.js";

const MINUTE = 60_000;

async function read(
  source: Source,
  stream: string,
  ledger: SourceLedger,
  between: () => "go" | "die" = () => "go",
): Promise<void> {
  const request = await requestFor(source, stream, {
    options: sized(25),
    ...(ledger.checkpoint === undefined ? {} : { cursor: ledger.checkpoint }),
  });
  for await (const page of source.read(request)) {
    ledger.take(page);
    if (between() === "die") return;
  }
}

/** The newest version of each record. */
function newest(ledger: SourceLedger): Map<string, string> {
  const table = new Map<string, string>();
  for (const version of ledger.versions()) {
    const [key = "", at = ""] = version.split(" ");
    if (at > (table.get(key) ?? "")) table.set(key, at);
  }
  return table;
}

const MOVING = ["tickets", "users", "organizations", "ticket_comments", "satisfaction_ratings", "articles"];

describe("an account that moves while it is read", () => {
  it.each(MOVING.flatMap((stream) => [1, 2, 3].map((seed) => [stream, seed] as const)))(
    "%s arrive once in every version that was there at the end, whatever dies in between: seed %i",
    async (stream, seed) => {
      const spec = STREAMS.find(({ name }) => name === stream);
      if (spec === undefined) throw new Error(`there is no ${stream}`);
      const random = seededRandom(seed);
      const clock = new PatientClock();
      const fake = await startZendeskFake({
        clock,
        account: { seed, tickets: 150, users: 150, organizations: 150, articles: 150, others: 40, ties: 6 },
        endTime: seed % 2 === 0 ? "inclusive" : "behind",
      });
      const { account } = fake;
      const table = spec.key;
      let changes = 0;
      const move = () => {
        clock.set(clock.now() + Math.floor(random.next() * 20_000));
        changes++;
        if (random.next() < 0.6) account.changeSome(table, 1 + Math.floor(random.next() * 4), changes);
        if (random.next() < 0.2) account.copySome(table, 2, changes);
        if (random.next() < 0.2 && spec.deleted !== undefined) account.deleteSome(table, 1, changes);
        // Commits late, within the minute that Zendesk keeps back from exports by cursor, or the lookback.
        const late = (spec.paging === "cursorExport" ? 0.9 : 4) * MINUTE * random.next();
        if (random.next() < 0.4 && spec.rows === undefined) {
          const at = clock.now() - 1_000;
          account.changeSome(table, 1, 1_000 + changes, { at, visibleAt: at + late });
        }
        if (random.next() < 0.05) fake.oauth.expireAll();
        if (random.next() < 0.1) {
          fake.faults.set({
            rules: [
              {
                path: "cursor=",
                times: 1,
                fault: { kind: "answer", status: 422, body: { error: "InvalidValue" } },
              },
            ],
          });
        }
      };
      const { source } = connectTo(fake.url, {
        clock,
        config: {
          auth: {
            type: "clientCredentials",
            clientId: fake.oauth.clientId,
            clientSecret: fake.oauth.clientSecret,
          },
        },
      });
      try {
        const ledger = new SourceLedger(spec.cursor, ["id"]);
        for (let run = 0; run < 10; run++) {
          await read(source, stream, ledger, () => {
            move();
            return random.next() < 0.1 ? "die" : "go";
          });
          clock.set(clock.now() + Math.floor(random.next() * 10 * MINUTE));
        }
        // Quiet now: what is on its way becomes visible, and two more reads bring everything in.
        for (let run = 0; run < 2; run++) {
          clock.set(clock.now() + 5 * MINUTE);
          await read(source, stream, ledger);
        }
        const versions = ledger.versions();
        expect(versions.length, `seed ${seed}`).toBe(new Set(versions).size);
        const there = recordsOf(account, spec);
        const found = newest(ledger);
        for (const [key, at] of there) expect(found.get(key), `seed ${seed}, ${key}`).toBe(at);
      } finally {
        await source.close();
        await fake.close();
      }
    },
  );
});
