/** Columns under the key of the record they belong to: a field under its own name, all paths of a parent under the parent's. */
export type Columns = ReadonlyMap<string, readonly string[]>;

/** `Owner.Name` and `Owner.Email` belong to `Owner`: one part of a parent is no part of a record. */
export function columnsOf(paths: Iterable<string>): Columns {
  const columns = new Map<string, string[]>();
  for (const path of paths) {
    const [name = path] = path.split(".", 1);
    const known = columns.get(name);
    if (known === undefined) columns.set(name, [path]);
    else known.push(path);
  }
  return columns;
}

/**
 * The columns in chunks of at most `room` bytes each, in their order, evenly filled. The name of the first one that alone is
 * longer: there are no such chunks.
 */
export function columnChunks(columns: Columns, room: number): readonly (readonly string[])[] | string {
  const sizes = [...columns].map(([name, paths]) => ({ name, paths, bytes: bytesOf(paths) }));
  const tooLong = sizes.find(({ bytes }) => bytes > room);
  if (tooLong !== undefined) return tooLong.name;
  const all = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  // As many as it takes at least; a fill that leaves the last one nearly empty would make all others long for nothing.
  const share = Math.ceil(all / Math.max(1, Math.ceil(all / room)));
  const chunks: string[][] = [];
  let filled = room;
  for (const { paths, bytes } of sizes) {
    if (filled >= share || filled + bytes > room) {
      chunks.push([]);
      filled = 0;
    }
    chunks.at(-1)?.push(...paths);
    filled += bytes;
  }
  return chunks;
}

/** With a comma each; names need no escape in a URL. */
function bytesOf(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + path.length + 1, 0);
}
