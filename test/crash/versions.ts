/** A version of a record: `key` says which record, `version` everything that is compared of it. */
export interface Version {
  readonly key: string;
  readonly version: string;
}

/**
 * `every version`: each current version is there, and no version twice. `current only`: the current version of every record,
 * and nothing else.
 */
export function compareVersions(
  wanted: readonly Version[],
  landed: readonly Version[],
  kind: "every version" | "current only",
): { readonly lost: number; readonly extra: number } {
  const times = new Map<string, number>();
  for (const one of landed) times.set(nameOf(one), (times.get(nameOf(one)) ?? 0) + 1);
  const lost = wanted.filter((one) => !times.has(nameOf(one))).length;
  if (kind === "every version") return { lost, extra: landed.length - times.size };
  const known = new Set(wanted.map(({ key }) => key));
  const keys = new Set(landed.map(({ key }) => key));
  const unknown = [...keys].filter((key) => !known.has(key)).length;
  return { lost, extra: landed.length - keys.size + unknown };
}

function nameOf({ key, version }: Version): string {
  return `${key} ${version}`;
}
