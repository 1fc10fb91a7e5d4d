import { type Cell, Digits } from "./cell.js";
import {
  CITIES,
  COMPANY_HEADS,
  COMPANY_TAILS,
  descriptions,
  FIRST_NAMES,
  HOSTILE,
  LAST_NAMES,
  sentence,
} from "./corpus.js";
import { recordId } from "./ids.js";
import {
  GENERATED_OBJECTS,
  INDUSTRIES,
  LEAD_SOURCES,
  SEGMENTS,
  STAGES,
  UNQUERYABLE_OBJECTS,
} from "./objects.js";
import { type FakeClock, Org } from "./org.js";
import { Prng } from "./prng.js";
import type { Table } from "./table.js";

export interface GeneratedOrgOptions {
  /** The same seed and counts give the same org; default 1. */
  readonly seed?: number;
  /** Default 20,000. */
  readonly accounts?: number;
  /** Default 40,000. */
  readonly contacts?: number;
  /** Default 100,000. */
  readonly opportunities?: number;
  /** Invoice__c; default 5,000. */
  readonly invoices?: number;
  /** Default 25. */
  readonly users?: number;
  /** No SystemModstamp is at or after this; default 2025-06-30, so that every clock has it in the past. */
  readonly until?: number;
}

const DAY = 86_400_000;
const YEARS = 3 * 365 * DAY;

type Values = Record<string, Cell>;

/** What the row makers draw from. */
interface Draw {
  readonly random: Prng;
  readonly texts: readonly string[];
  readonly counts: Readonly<Record<"users" | "accounts" | "contacts" | "opportunities", number>>;
  readonly until: number;
}

/** An org with users, accounts, contacts, opportunities and invoices that refer to each other. */
export function generateOrg(options: GeneratedOrgOptions, clock: FakeClock): Org {
  const seed = options.seed ?? 1;
  const until = options.until ?? Date.UTC(2025, 5, 30);
  const counts = {
    users: options.users ?? 25,
    accounts: options.accounts ?? 20_000,
    contacts: options.contacts ?? 40_000,
    opportunities: options.opportunities ?? 100_000,
    invoices: options.invoices ?? 5_000,
  };
  const texts = descriptions(seed);
  const org = new Org(clock);
  for (const spec of [...GENERATED_OBJECTS, ...UNQUERYABLE_OBJECTS]) org.define(spec, until - YEARS);
  const fill = (object: string, count: number, make: (draw: Draw, n: number) => Values) => {
    const draw = { random: Prng.named(seed, object), texts, counts, until };
    fillTable(org.table(object), count, draw, make);
  };
  fill("User", counts.users, user);
  fill("Account", counts.accounts, account);
  fill("Contact", counts.contacts, contact);
  fill("Opportunity", counts.opportunities, opportunity);
  fill("Invoice__c", counts.invoices, invoice);
  return org;
}

function fillTable(table: Table, count: number, draw: Draw, make: (draw: Draw, n: number) => Values): void {
  const fields = table.storedFields();
  const { random, until } = draw;
  // Two rows in five were stamped by one of a few bulk updates: thousands share a SystemModstamp.
  const deletable = table.column("IsDeleted") !== undefined;
  const bulkUpdates = Array.from({ length: 1 + Math.floor(count / 8000) }, () => instant(random, until));
  for (let n = 0; n < count; n++) {
    const stamp = random.chance(0.4) ? random.pick(bulkUpdates) : instant(random, until);
    const created = Math.min(stamp, instant(random, until));
    const deleted = deletable && random.chance(0.01);
    const values: Values = {
      ...make(draw, n),
      CreatedDate: created,
      CreatedById: owner(draw),
      LastModifiedDate: stamp,
      LastModifiedById: owner(draw),
    };
    const cells = fields.map((name) => values[name] ?? null);
    table.load(recordId(table.keyPrefix, n), stamp, deleted, cells);
  }
}

/** A second in the three years before `until`. */
function instant(random: Prng, until: number): number {
  return until - YEARS + random.below(YEARS / 1000) * 1000;
}

function owner({ random, counts }: Draw): string | null {
  return counts.users === 0 ? null : recordId("005", random.below(counts.users));
}

function someone(draw: Draw, keyPrefix: string, count: number, nullChance: number): string | null {
  return count === 0 || draw.random.chance(nullChance) ? null : recordId(keyPrefix, draw.random.below(count));
}

function some<T extends Cell>(random: Prng, chance: number, value: () => T): T | null {
  return random.chance(chance) ? value() : null;
}

function description({ random, texts }: Draw): string | null {
  return some(random, 0.5, () => random.pick(texts));
}

function cents(random: Prng, upTo: number): number {
  return random.below(upTo * 100) / 100;
}

/** A day; seldom before 1970, very seldom in the year 999. */
function day(random: Prng, from: number, days: number): string {
  if (random.chance(0.001)) return "0999-12-31";
  const at = random.chance(0.02)
    ? Date.UTC(1890, 0, 1) + random.below(29_000) * DAY
    : from + random.below(days) * DAY;
  return new Date(at).toISOString().slice(0, 10);
}

function several(random: Prng, values: readonly string[]): string | null {
  const chosen = values.filter(() => random.chance(0.3));
  return chosen.length === 0 ? null : chosen.join(";");
}

function place(random: Prng, prefix: string): Values {
  if (random.chance(0.15)) return {};
  const [city, country, latitude, longitude] = random.pick(CITIES);
  const located = random.chance(0.5);
  return {
    [`${prefix}Street`]: `${1 + random.below(200)} Main Street${random.chance(0.2) ? "\nFloor 3\r\nRoom 42" : ""}`,
    [`${prefix}City`]: city,
    [`${prefix}PostalCode`]: String(10_000 + random.below(89_999)),
    [`${prefix}Country`]: country,
    [`${prefix}Latitude`]: located ? latitude : null,
    [`${prefix}Longitude`]: located ? longitude : null,
  };
}

function user({ random, counts }: Draw, n: number): Values {
  const [first, last] = [random.pick(FIRST_NAMES), random.pick(LAST_NAMES)];
  return {
    Username: `user${n}@sluice.example`,
    LastName: last,
    FirstName: first,
    Name: `${first} ${last}`,
    Email: `user${n}@sluice.example`,
    Title: some(random, 0.7, () => "Account Executive"),
    Alias: `u${n}`,
    IsActive: random.chance(0.9),
    TimeZoneSidKey: "Europe/Berlin",
    ManagerId: n === 0 || counts.users === 0 ? null : recordId("005", random.below(n)),
  };
}

function account(draw: Draw, n: number): Values {
  const { random } = draw;
  return {
    Name: `${random.pick(COMPANY_HEADS)} ${random.pick(COMPANY_TAILS)} ${n}`,
    Type: some(random, 0.8, () => random.pick(["Prospect", "Customer", "Partner"])),
    ParentId: n === 0 ? null : some(random, 0.1, () => recordId("001", random.below(n))),
    ...place(random, "Billing"),
    Phone: some(random, 0.7, () => `+49 30 ${100_000 + random.below(899_999)}`),
    Website: some(random, 0.5, () => `https://example.com/${n}?q=a&b=ü`),
    Industry: some(random, 0.8, () => random.pick(INDUSTRIES)),
    AnnualRevenue: some(random, 0.7, () => cents(random, 50_000_000)),
    NumberOfEmployees: some(random, 0.7, () => random.below(90_000)),
    Description: description(draw),
    Segments__c: several(random, SEGMENTS),
    Founded__c: some(random, 0.6, () => day(random, 0, 19_000)),
    Health_Score__c: some(random, 0.6, () => random.below(10_000) / 100),
    Tax_Number__c: some(random, 0.2, () => `***${random.below(1000)}`),
    OwnerId: owner(draw),
  };
}

function contact(draw: Draw, n: number): Values {
  const { random, counts } = draw;
  const first = some(random, 0.9, () => random.pick(FIRST_NAMES));
  const last = random.pick(LAST_NAMES);
  return {
    AccountId: someone(draw, "001", counts.accounts, 0.05),
    LastName: last,
    FirstName: first,
    Salutation: some(random, 0.4, () => random.pick(["Mr.", "Ms.", "Dr.", "Prof."])),
    Name: first === null ? last : `${first} ${last}`,
    ...place(random, "Mailing"),
    Phone: some(random, 0.6, () => `(0${random.below(999)}) ${random.below(9_999_999)}`),
    Email: some(random, 0.9, () => `person.${n}+${random.below(9)}@example.com`),
    Title: some(random, 0.5, () => (random.chance(0.1) ? random.pick(HOSTILE) : "Head of Operations")),
    ReportsToId: n === 0 ? null : some(random, 0.1, () => recordId("003", random.below(n))),
    LeadSource: some(random, 0.7, () => random.pick(LEAD_SOURCES)),
    Birthdate: some(random, 0.4, () => day(random, Date.UTC(1950, 0, 1), 20_000)),
    HasOptedOutOfEmail: random.chance(0.1),
    Preferred_Call_Time__c: some(
      random,
      0.2,
      () => `${String(8 + random.below(10)).padStart(2, "0")}:30:00.000Z`,
    ),
    Languages__c: several(random, ["de", "en", "fr", "ja", "ar"]),
    Description: description(draw),
    OwnerId: owner(draw),
  };
}

const PROBABILITIES: Readonly<Record<string, number>> = {
  Prospecting: 10,
  Qualification: 20,
  Proposal: 60,
  Negotiation: 90,
  "Closed Won": 100,
  "Closed Lost": 0,
};

function opportunity(draw: Draw, n: number): Values {
  const { random, counts } = draw;
  const stage = random.pick(STAGES);
  return {
    AccountId: someone(draw, "001", counts.accounts, 0.05),
    Name: random.chance(0.02)
      ? `${random.pick(HOSTILE).slice(0, 100)} ${n}`
      : `${random.pick(COMPANY_HEADS)} deal ${n}`,
    Description: description(draw),
    StageName: stage,
    Amount: some(random, 0.9, () => (random.chance(0.02) ? -cents(random, 1000) : cents(random, 250_000))),
    Probability: PROBABILITIES[stage] ?? null,
    TotalOpportunityQuantity: some(random, 0.4, () => random.below(1000)),
    CloseDate: day(random, draw.until - YEARS, 1400),
    Type: some(random, 0.7, () => random.pick(["New Business", "Renewal", "Upgrade"])),
    NextStep: some(random, 0.4, () => sentence(random, 6)),
    LeadSource: some(random, 0.6, () => random.pick(LEAD_SOURCES)),
    IsClosed: stage.startsWith("Closed"),
    IsWon: stage === "Closed Won",
    External_Ref__c: `OPP-${String(n).padStart(8, "0")}`,
    Discount__c: some(random, 0.3, () => random.below(9000) / 100),
    OwnerId: owner(draw),
  };
}

function invoice(draw: Draw, n: number): Values {
  const { random, counts } = draw;
  return {
    Name: `INV-${String(n).padStart(6, "0")}`,
    Account__c: someone(draw, "001", counts.accounts, 0.02),
    Opportunity__c: someone(draw, "006", counts.opportunities, 0.2),
    Ledger_Number__c: new Digits(String(900_000_000_000_000_000n + BigInt(n) * 7919n + 1n)),
    Total__c: new Digits(`${random.below(9e15)}.${String(random.below(100)).padStart(2, "0")}`),
    Due__c: some(random, 0.9, () => day(random, draw.until - YEARS, 1400)),
    Paid__c: random.chance(0.6),
    Lines__c: some(random, 0.9, () => 1 + random.below(40)),
    Payload__c: some(random, 0.3, () => JSON.stringify({ n, text: random.pick(HOSTILE) })),
    Notes__c: some(random, 0.3, () => random.pick(HOSTILE)),
    OwnerId: owner(draw),
  };
}
