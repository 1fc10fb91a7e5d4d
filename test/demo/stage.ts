import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../root.js";
import { type SluiceExit, startSluice } from "../sluice-process.js";
import { type Service, startService } from "./service.js";

const BUCKET = "acme-lake";
/** What the example flows ask of the environment to reach the sources. */
const SOURCE_VARIABLES = [
  ...["SF_URL", "SF_CLIENT_ID", "SF_CLIENT_SECRET"],
  ...["SLACK_API_URL", "SLACK_TOKEN"],
  ...["ZENDESK_URL", "ZENDESK_CLIENT_ID", "ZENDESK_CLIENT_SECRET"],
] as const;

/** Arguments of the doubles; one without any is not started. */
export interface StageServices {
  readonly salesforce: readonly string[];
  readonly slack?: readonly string[];
  readonly zendesk?: readonly string[];
}

/** The services and a project folder; what the flows need to know of the services is in the project's environment. */
export class Stage {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #services: readonly Service[];

  private constructor(dir: string, env: Record<string, string>, services: readonly Service[]) {
    this.dir = dir;
    this.env = env;
    this.#services = services;
  }

  /** `name`: folder in the root of the repository, emptied first. */
  static async open(name: string, sources: StageServices): Promise<Stage> {
    const dir = join(projectRoot(), name);
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const double = (source: string, args: readonly string[] | undefined) =>
      args === undefined ? [] : [startService(`test/fakes/${source}/main.js`, args)];
    const [s3, ...doubles] = await Promise.all([
      startService("test/fakes/s3/main.js", ["--bucket", BUCKET, "--dir", join(dir, "s3")]),
      ...double("salesforce", sources.salesforce),
      ...double("slack", sources.slack),
      ...double("zendesk", sources.zendesk),
    ]);
    const store: Record<string, string> = parseReady(s3.ready);
    const env: Record<string, string> = {};
    for (const { ready } of doubles) {
      const service: { env: Record<string, string> } = parseReady(ready);
      for (const key of SOURCE_VARIABLES) {
        const value = service.env[key];
        if (value !== undefined) env[key] = value;
      }
    }
    Object.assign(env, {
      S3_ENDPOINT: store.url ?? "",
      S3_BUCKET: BUCKET,
      AWS_ACCESS_KEY_ID: store.accessKeyId ?? "",
      AWS_SECRET_ACCESS_KEY: store.secretAccessKey ?? "",
      PEPPER: "demo",
    });
    return new Stage(dir, env, [s3, ...doubles]);
  }

  /**
   * Copies the example flows. The values of the environment go into files beside them, so that the commands the demo
   * suggests work in a shell that has none of these variables.
   */
  copyExamples(): void {
    const secrets = join(this.dir, "secrets");
    mkdirSync(secrets);
    for (const [name, value] of Object.entries(this.env))
      writeFileSync(join(secrets, name), value, { mode: 0o600 });
    const examples = join(projectRoot(), "flows");
    for (const name of readdirSync(examples)) {
      if (!name.endsWith(".yaml")) continue;
      cpSync(join(examples, name), join(this.dir, name));
      const text = readFileSync(join(this.dir, name), "utf8").replaceAll(
        /\$\{env:(\w+)\}/g,
        "$${file:secrets/$1}",
      );
      writeFileSync(join(this.dir, name), text);
    }
  }

  /** Runs a command with its output on the terminal. */
  async show(...args: string[]): Promise<number> {
    process.stdout.write(
      `\n$ sluice ${args.map((arg) => (/[\s*]/.test(arg) ? `"${arg}"` : arg)).join(" ")}\n`,
    );
    const running = startSluice(args, { cwd: this.dir, env: this.env, stdio: "inherit" });
    return (await running.exit).code ?? 1;
  }

  /** Runs a command for its output. */
  run(...args: string[]): Promise<SluiceExit> {
    return startSluice(args, { cwd: this.dir, env: this.env }).exit;
  }

  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
  }
}

/** What the fakes print is ours; its shape is checked where it is used. */
function parseReady<T extends object>(ready: unknown): T {
  if (typeof ready !== "object" || ready === null) throw new Error("the service said nothing of itself");
  return ready as T;
}
