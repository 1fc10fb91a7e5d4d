import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Fake, startS3Fake } from "./fakes/s3/index.js";
import { type SalesforceFake, startSalesforceFake } from "./fakes/salesforce/index.js";
import { projectRoot } from "./root.js";
import { sluice } from "./sluice-process.js";

/* Every example in flows/ runs, as it stands there. */

const examples = readdirSync(join(projectRoot(), "flows")).filter(
  (name) => name.endsWith(".yaml") && name !== "sluice.yaml",
);

let org: SalesforceFake;
let s3: S3Fake;
let dir: string;
let env: Record<string, string>;

beforeAll(async () => {
  org = await startSalesforceFake({ org: { accounts: 300, contacts: 600, opportunities: 900, invoices: 0 } });
  s3 = await startS3Fake({ buckets: ["acme-lake"] });
  dir = mkdtempSync(join(tmpdir(), "sluice-examples-"));
  cpSync(join(projectRoot(), "flows"), dir, { recursive: true });
  env = {
    ...org.environment(),
    S3_ENDPOINT: s3.url,
    S3_BUCKET: "acme-lake",
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    PEPPER: "a secret of the test",
  };
});

afterAll(async () => {
  await org.close();
  await s3.close();
  rmSync(dir, { recursive: true, force: true });
});

describe("the example flows", () => {
  it("are valid", async () => {
    const exit = await sluice(["validate"], { cwd: dir, env });
    expect(exit).toMatchObject({ code: 0 });
  });

  it.each(examples)("%s runs, and its account balances", async (file) => {
    const exit = await sluice(["run", file.replace(".yaml", ""), "--json"], { cwd: dir, env });
    expect(exit.code, exit.stderr).toBe(0);
    const [run] = JSON.parse(exit.stdout);
    const { fetched, filtered, dropped, deadLettered, loaded, queued } = run.records;
    expect(loaded).toBeGreaterThan(100);
    expect(fetched).toBe(filtered + dropped + deadLettered + loaded + queued);
    expect(queued).toBe(0);
    expect(run.status).toBe("succeeded");
  });

  it("answer to SQL afterwards", async () => {
    const exit = await sluice(
      ["query", "SELECT count(*) AS n FROM salesforce_opportunities_to_parquet", "--json"],
      { cwd: dir, env },
    );
    expect(exit.code, exit.stderr).toBe(0);
    expect(Number(JSON.parse(exit.stdout)[0]?.n)).toBeGreaterThan(100);
  });
});
