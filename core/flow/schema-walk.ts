/** Looking into zod schemas, for lint ("did you mean") and for the generated reference. */
import { z } from "zod";

/** The schema without what only makes it optional, gives a default, opens secrets or transforms the result: what stands in YAML. */
export function unwrap(schema: unknown): z.ZodType | undefined {
  let current = schema;
  // Bounded: a lazy schema could unwrap to itself.
  for (let step = 0; step < 50; step++) {
    if (
      current instanceof z.ZodOptional ||
      current instanceof z.ZodNullable ||
      current instanceof z.ZodDefault ||
      current instanceof z.ZodPrefault ||
      current instanceof z.ZodReadonly ||
      current instanceof z.ZodNonOptional ||
      current instanceof z.ZodLazy
    )
      current = current.unwrap();
    else if (current instanceof z.ZodPipe)
      current = current.in instanceof z.ZodTransform ? current.out : current.in;
    else return current instanceof z.ZodType ? current : undefined;
  }
  return undefined;
}

/** The options of a union that `value` may be meant for: by its discriminator where there is one. */
function optionsFor(union: z.ZodUnion, value: unknown): z.ZodType[] {
  const options = union.options.map(unwrap).filter((option) => option !== undefined);
  if (!(union instanceof z.ZodDiscriminatedUnion)) return options;
  const key = union.def.discriminator;
  const kind = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  const chosen = options.filter((option) => {
    const literal = option instanceof z.ZodObject ? unwrap(option.shape[key]) : undefined;
    return literal instanceof z.ZodLiteral && literal.values.has(kind);
  });
  return chosen.length > 0 ? chosen : options;
}

/** The schemas that apply to `value` at this place, unions taken apart. */
export function alternatives(schema: unknown, value: unknown): z.ZodType[] {
  const bare = unwrap(schema);
  if (bare === undefined) return [];
  if (bare instanceof z.ZodUnion)
    return optionsFor(bare, value).flatMap((option) => alternatives(option, value));
  if (bare instanceof z.ZodIntersection)
    return [...alternatives(bare.def.left, value), ...alternatives(bare.def.right, value)];
  return [bare];
}

/** The schemas at `path` below `schema`, for the value that stands there. */
export function schemasAt(schema: unknown, path: readonly PropertyKey[], value: unknown): z.ZodType[] {
  let here = alternatives(schema, value);
  let current = value;
  for (const part of path) {
    current = typeof current === "object" && current !== null ? Reflect.get(current, part) : undefined;
    const inside = current;
    here = here.flatMap((candidate) => {
      if (candidate instanceof z.ZodObject) return alternatives(candidate.shape[String(part)], inside);
      if (candidate instanceof z.ZodArray) return alternatives(candidate.element, inside);
      if (candidate instanceof z.ZodRecord) return alternatives(candidate.valueType, inside);
      return [];
    });
  }
  return here;
}

/** Names of the keys that an object at `path` may have. */
export function keysAt(schema: unknown, path: readonly PropertyKey[], value: unknown): string[] {
  const keys = schemasAt(schema, path, value).flatMap((candidate) =>
    candidate instanceof z.ZodObject ? Object.keys(candidate.shape) : [],
  );
  return [...new Set(keys)];
}

/** The `.describe()` of the key at `path`. */
export function descriptionAt(
  schema: unknown,
  path: readonly PropertyKey[],
  value: unknown,
): string | undefined {
  for (const parent of schemasAt(schema, path.slice(0, -1), value)) {
    const property: unknown = parent instanceof z.ZodObject ? parent.shape[String(path.at(-1))] : undefined;
    if (property instanceof z.ZodType && property.description !== undefined) return property.description;
  }
  return undefined;
}
