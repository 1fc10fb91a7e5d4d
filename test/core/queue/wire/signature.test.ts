import { CreateQueueCommand, ListQueuesCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import { AuthError, systemClock } from "../../../../core/contracts/index.js";
import { canonicalRequest } from "../../../../core/queue/wire/canonical-request.js";
import { SignatureVerifier } from "../../../../core/queue/wire/signature.js";
import { VirtualClock } from "../../../virtual-clock.js";
import { clientOf, raw, type Service, signerOf, startService } from "./service.js";

const KEYS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Cases of AWS's signature test suite (region us-east-1, 2015-08-30): the hash of the canonical request decides. */
const headers = (...more: string[]) => [
  "Host",
  "example.amazonaws.com",
  "X-Amz-Date",
  "20150830T123600Z",
  ...more,
];
const VANILLA = "host:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date";

const SUITE: readonly (readonly [string, Partial<Parameters<typeof canonicalRequest>[0]>, string])[] = [
  ["get-vanilla", {}, `GET\n/\n\n${VANILLA}\n${EMPTY}`],
  [
    "get-vanilla-empty-query-key",
    { target: "/?Param1=value1" },
    `GET\n/\nParam1=value1\n${VANILLA}\n${EMPTY}`,
  ],
  [
    "get-vanilla-query-order-key-case",
    { target: "/?Param2=value2&Param1=value1" },
    `GET\n/\nParam1=value1&Param2=value2\n${VANILLA}\n${EMPTY}`,
  ],
  [
    "get-vanilla-query-order-value",
    { target: "/?Param1=value2&Param1=value1" },
    `GET\n/\nParam1=value1&Param1=value2\n${VANILLA}\n${EMPTY}`,
  ],
  [
    "get-vanilla-query-unreserved",
    { target: "/?-._~0123456789ABCXYZabcxyz=-._~0123456789ABCXYZabcxyz" },
    `GET\n/\n-._~0123456789ABCXYZabcxyz=-._~0123456789ABCXYZabcxyz\n${VANILLA}\n${EMPTY}`,
  ],
  ["get-vanilla-utf8-query", { target: "/?%E1%88%B4=bar" }, `GET\n/\n%E1%88%B4=bar\n${VANILLA}\n${EMPTY}`],
  ["normalize-path/get-relative", { target: "/example/.." }, `GET\n/\n\n${VANILLA}\n${EMPTY}`],
  [
    "normalize-path/get-slash-pointless-dot",
    { target: "/./example" },
    `GET\n/example\n\n${VANILLA}\n${EMPTY}`,
  ],
  ["normalize-path/get-slashes", { target: "//example//" }, `GET\n/example/\n\n${VANILLA}\n${EMPTY}`],
  ["a path encoded twice", { target: "/a%20b" }, `GET\n/a%2520b\n\n${VANILLA}\n${EMPTY}`],
  [
    "a path of S3 encoded once",
    { target: "/a%20b//c", service: "s3" },
    `GET\n/a%20b//c\n\n${VANILLA}\n${EMPTY}`,
  ],
  [
    "get-header-value-trim",
    {
      rawHeaders: headers("My-Header1", " value1", "My-Header2", ' "a   b   c"'),
      signedHeaders: ["host", "my-header1", "my-header2", "x-amz-date"],
    },
    `GET\n/\n\nhost:example.amazonaws.com\nmy-header1:value1\nmy-header2:"a b c"\nx-amz-date:20150830T123600Z\n\nhost;my-header1;my-header2;x-amz-date\n${EMPTY}`,
  ],
  [
    "get-header-key-duplicate",
    {
      rawHeaders: headers("My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"),
      signedHeaders: ["host", "my-header1", "x-amz-date"],
    },
    `GET\n/\n\nhost:example.amazonaws.com\nmy-header1:value2,value2,value1\nx-amz-date:20150830T123600Z\n\nhost;my-header1;x-amz-date\n${EMPTY}`,
  ],
];

describe("canonical requests of AWS's test suite", () => {
  it.each(SUITE)("%s", (_name, parts, expected) => {
    const request = {
      method: "GET",
      target: "/",
      rawHeaders: headers(),
      signedHeaders: ["host", "x-amz-date"],
      payloadHash: EMPTY,
      service: "sqs" as const,
    };
    expect(canonicalRequest({ ...request, ...parts })).toBe(expected);
  });
});

describe("the example of the S3 documentation", () => {
  // GET Object with a Range, signed for examplebucket on 2013-05-24.
  const keys = {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
  const request = (given: string) => ({
    method: "GET",
    target: "/test.txt",
    service: "s3" as const,
    payloadHash: EMPTY,
    rawHeaders: [
      ...["Host", "examplebucket.s3.amazonaws.com", "Range", "bytes=0-9", "x-amz-content-sha256", EMPTY],
      ...["x-amz-date", "20130524T000000Z", "Authorization"],
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=${given}`,
    ],
  });
  const at = (ms: number) => new SignatureVerifier([keys], new VirtualClock(Date.UTC(2013, 4, 24) + ms));

  it("is verified, within a quarter of an hour", () => {
    expect(at(0).verify(request(signature))).toMatchObject({ signature, timestamp: "20130524T000000Z" });
    for (const ms of [900_000, -900_000]) at(ms).verify(request(signature));
    for (const ms of [900_001, -900_001])
      expect(() => at(ms).verify(request(signature))).toThrow(
        expect.objectContaining({ code: "RequestTimeTooSkewed" }),
      );
  });

  it("is refused with one digit changed, in any place", () => {
    const verifier = at(0);
    for (let place = 0; place < signature.length; place++) {
      const digit = signature[place] === "0" ? "1" : "0";
      const changed = signature.slice(0, place) + digit + signature.slice(place + 1);
      expect(() => verifier.verify(request(changed))).toThrow(AuthError);
    }
    for (const short of ["", "f0", signature.slice(2), `${signature}00`, "x".repeat(64)])
      expect(() => verifier.verify(request(short))).toThrow(AuthError);
  });
});

async function strictService(clock = systemClock): Promise<Service> {
  return startService({ keys: [{ accessKeyId: "OTHER", secretAccessKey: "other" }, KEYS], clock });
}

async function codeOf(promise: Promise<unknown>): Promise<readonly unknown[]> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("not refused");
  return [Reflect.get(error, "Code"), Reflect.get(Reflect.get(error, "$metadata"), "httpStatusCode")];
}

describe("an endpoint with keys", () => {
  it("takes what the SDK signs, whatever it is called for", async () => {
    const { url } = await strictService();
    for (const region of ["eu-central-1", "us-gov-west-1"]) {
      const client = clientOf(url, KEYS, region);
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "q" }));
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "ü".repeat(50_000) }));
      client.destroy();
    }
  });

  it("refuses another secret, an unknown key and no signature", async () => {
    const { url } = await strictService();
    for (const [credentials, expected] of [
      [{ ...KEYS, secretAccessKey: "wrong" }, ["SignatureDoesNotMatch", 403]],
      [{ ...KEYS, accessKeyId: "UNKNOWN" }, ["InvalidClientTokenId", 403]],
      [{ accessKeyId: "OTHER", secretAccessKey: KEYS.secretAccessKey }, ["SignatureDoesNotMatch", 403]],
    ] as const) {
      const client = clientOf(url, credentials);
      expect(await codeOf(client.send(new ListQueuesCommand({})))).toEqual(expected);
      client.destroy();
    }
    for (const [authorization, status, code] of [
      [undefined, 403, "MissingAuthenticationToken"],
      ["Basic abc", 400, "IncompleteSignature"],
      ["AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu/sqs/aws4_request", 400, "IncompleteSignature"],
      ["AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", 400, "IncompleteSignature"],
    ] as const) {
      const answer = await raw(url, {
        headers: {
          "x-amz-target": "AmazonSQS.ListQueues",
          "x-amz-date": "20260101T000000Z",
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: "{}",
      });
      expect([answer.status, answer.headers["x-amzn-query-error"]]).toEqual([status, `${code};Sender`]);
    }
  });

  it("refuses a request that was changed on its way", async () => {
    const { url, environment } = await strictService();
    const { host, hostname } = new URL(url);
    const signer = await signerOf(url, KEYS);
    const body = JSON.stringify({ QueueName: "q" });
    const sign = async (target: string) =>
      (
        await signer.sign({
          method: "POST",
          protocol: "http:",
          hostname,
          path: "/",
          query: {},
          headers: { host, "x-amz-target": target, "content-type": "application/x-amz-json-1.0" },
          body,
        })
      ).headers;
    const signed = await sign("AmazonSQS.CreateQueue");
    const changes: Record<string, Parameters<typeof raw>[1]> = {
      body: { headers: signed, body: body.replace("q", "r") },
      target: { headers: { ...signed, "x-amz-target": "AmazonSQS.GetQueueUrl" }, body },
      path: { headers: signed, body, path: "/x" },
      query: { headers: signed, body, path: "/?x=y" },
      host: { headers: { ...signed, host: "other" }, body },
      date: { headers: { ...signed, "x-amz-date": "20260101T000000Z" }, body },
    };
    for (const [name, change] of Object.entries(changes)) {
      const answer = await raw(url, change);
      expect([name, answer.status, answer.headers["x-amzn-query-error"]]).toEqual([
        name,
        403,
        "SignatureDoesNotMatch;Sender",
      ]);
    }
    expect(environment.queues.listQueues()).toEqual([]);
    expect((await raw(url, { headers: signed, body })).status).toBe(200);
  });

  it("insists that host and target are signed", async () => {
    const { url } = await strictService();
    const now = new Date(systemClock.now()).toISOString().replace(/[-:]|\.\d{3}/g, "");
    for (const list of ["x-amz-date;x-amz-target", "host;x-amz-date"]) {
      const answer = await raw(url, {
        headers: {
          "x-amz-target": "AmazonSQS.ListQueues",
          "x-amz-date": now,
          authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${now.slice(0, 8)}/eu/sqs/aws4_request, SignedHeaders=${list}, Signature=${"0".repeat(64)}`,
        },
        body: "{}",
      });
      expect(JSON.parse(answer.body).message).toMatch(/^'(host|x-amz-target)' must be a 'SignedHeader'/);
    }
  });

  it("compares times by its own clock", async () => {
    const clock = new VirtualClock(systemClock.now());
    const service = await strictService(clock);
    const client = clientOf(service.url, KEYS);
    clock.step(14 * 60_000);
    await client.send(new ListQueuesCommand({}));
    clock.step(2 * 60_000);
    const late = codeOf(client.send(new ListQueuesCommand({})));
    expect(await late).toEqual(["SignatureDoesNotMatch", 403]);
    clock.step(-32 * 60_000);
    const early = await client.send(new ListQueuesCommand({})).catch((error: unknown) => String(error));
    expect(early).toMatch(/Signature not yet current/);
    client.destroy();
  });

  it("still tells that it is healthy", async () => {
    const { url } = await strictService();
    expect((await raw(url, { method: "GET", path: "/health" })).status).toBe(200);
  });
});

it("without keys there is no endpoint that others can reach", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org"])
    await expect(startService({ host })).rejects.toMatchObject({ code: "NOT_LOOPBACK" });
  const { url } = await startService({ host: "localhost" });
  expect((await raw(url, { method: "GET", path: "/health" })).status).toBe(200);
});

it("a port in use is one clear error", async () => {
  const first = await startService();
  const port = Number(new URL(first.url).port);
  await expect(startService({ port })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    fix: expect.stringContaining("--port"),
  });
});
