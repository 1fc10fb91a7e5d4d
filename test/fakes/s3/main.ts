import { parseArgs } from "node:util";
import { startS3Fake } from "./index.js";

/**
 * `node dist/test/fakes/s3/main.js [--port 9000] [--dir folder] [--bucket name]...`: serves until SIGTERM or SIGINT.
 * Prints one line of JSON when ready: url, region, accessKeyId, secretAccessKey, buckets.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      dir: { type: "string" },
      bucket: { type: "string", multiple: true, default: [] },
      region: { type: "string" },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`--port ${values.port} is not a port`);
  const { dir, region, bucket: buckets } = values;
  const fake = await startS3Fake({
    port,
    buckets,
    ...(dir === undefined ? {} : { dir }),
    ...(region === undefined ? {} : { region }),
  });
  const { url, accessKeyId, secretAccessKey } = fake;
  console.log(JSON.stringify({ url, region: fake.region, accessKeyId, secretAccessKey, buckets }));
  const stop = () => {
    fake.close().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

await main();
