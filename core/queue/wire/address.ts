/** Where queues live, as the wire names them: URLs and ARNs. Inside Sluice a queue is its name. */
export interface Place {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
  /** `http://host:port`, without a slash at the end: what the client can reach. */
  readonly base: string;
}

export const DEFAULT_ACCOUNT = "000000000000";
export const DEFAULT_REGION = "us-east-1";

export function queueUrl({ base, account }: Place, queue: string): string {
  return `${base}/${account}/${queue}`;
}

export function queueArn({ region, account }: Place, queue: string): string {
  return `arn:${partition(region)}:sqs:${region}:${account}:${queue}`;
}

function partition(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  if (region.startsWith("us-gov-")) return "aws-us-gov";
  return "aws";
}

/**
 * The queue's name in a queue URL, or the bare name itself. Host and account are not compared: a URL from another
 * environment's configuration works here, as it does between the service's old and new host names.
 */
export function queueNameOf(url: string): string {
  const end = url.endsWith("/") ? url.length - 1 : url.length;
  const path = url.slice(0, end);
  return path.slice(path.lastIndexOf("/") + 1);
}

const ARN = /^arn:aws[a-z-]*:sqs:[a-z0-9-]+:(\d{12}):([A-Za-z0-9_.-]+)$/;

/**
 * The queue's name in an ARN: undefined for a text that is none, and `foreign` for a queue of another account. The
 * region is not compared: an endpoint has one set of queues, whatever region its clients sign for.
 */
export function queueOfArn(
  arn: string,
  account: string,
): { readonly queue: string; readonly foreign: boolean } | undefined {
  const [, owner, queue] = ARN.exec(arn) ?? [];
  if (owner === undefined || queue === undefined) return undefined;
  return { queue, foreign: owner !== account };
}
