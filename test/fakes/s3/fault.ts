/** Operations by their names in the S3 API. */
export const OPERATIONS = [
  "ListBuckets",
  "CreateBucket",
  "HeadBucket",
  "DeleteBucket",
  "GetBucketLocation",
  "ListObjectsV2",
  "PutObject",
  "CopyObject",
  "GetObject",
  "HeadObject",
  "DeleteObject",
  "DeleteObjects",
  "CreateMultipartUpload",
  "UploadPart",
  "CompleteMultipartUpload",
  "AbortMultipartUpload",
  "ListParts",
  "ListMultipartUploads",
] as const;
export type Operation = (typeof OPERATIONS)[number];

export type FaultAction =
  /** Refuses with this status and S3 code, before applying. Status 200 gives an error document after all (CompleteMultipartUpload does). */
  | { readonly type: "status"; readonly status: number; readonly code: string; readonly message?: string }
  /** Answers after `ms`. */
  | { readonly type: "slow"; readonly ms: number }
  /** Applies, then sends half of the answer and drops the connection. */
  | { readonly type: "cut" }
  /** Drops the connection without applying. */
  | { readonly type: "resetBefore" }
  /** Applies, then drops the connection: the answer is lost. */
  | { readonly type: "resetAfter" };

/** One line of the script. */
export interface Fault {
  /** Which operations; undefined: every one. */
  readonly operation?: Operation | readonly Operation[];
  /** Which keys; undefined: every one, also requests without a key. */
  readonly key?: string | RegExp;
  /** Matching requests that pass before it strikes; default 0. */
  readonly after?: number;
  /** How often it strikes; default 1; Infinity until removed. */
  readonly times?: number;
  readonly action: FaultAction;
  /** Called at each strike, when it takes effect: for `resetAfter` once the request has been applied. */
  readonly onStrike?: () => void;
}

interface Armed {
  readonly fault: Fault;
  passing: number;
  left: number;
}

/** The script of what goes wrong. The first armed fault that matches a request strikes it. */
export class Faults {
  readonly #armed: Armed[] = [];
  #strikes = 0;

  /** Arms a fault; returns what removes it. */
  add(fault: Fault): () => void {
    const armed: Armed = { fault, passing: fault.after ?? 0, left: fault.times ?? 1 };
    this.#armed.push(armed);
    return () => this.#remove(armed);
  }

  /** Every request is refused, until the returned function is called. */
  refuseAll(status: number, code: string): () => void {
    return this.add({ action: { type: "status", status, code }, times: Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#armed.length = 0;
  }

  /** How often faults struck so far. */
  get strikes(): number {
    return this.#strikes;
  }

  /** The fault that strikes this request, if any; counts. The caller calls its onStrike. */
  next(operation: Operation, key: string | undefined): Fault | undefined {
    for (const armed of this.#armed) {
      if (!matches(armed.fault, operation, key)) continue;
      if (armed.passing > 0) {
        armed.passing--;
        continue;
      }
      armed.left--;
      if (armed.left <= 0) this.#remove(armed);
      this.#strikes++;
      return armed.fault;
    }
    return undefined;
  }

  #remove(armed: Armed): void {
    const at = this.#armed.indexOf(armed);
    if (at >= 0) this.#armed.splice(at, 1);
  }
}

function matches(fault: Fault, operation: Operation, key: string | undefined): boolean {
  if (fault.operation !== undefined && ![fault.operation].flat().includes(operation)) return false;
  if (fault.key === undefined) return true;
  if (key === undefined) return false;
  return typeof fault.key === "string" ? fault.key === key : fault.key.test(key);
}
