import { ConfigError, type Field } from "../../core/contracts/index.js";
import { columnOf, type DescribedField, type DescribedObject, type Describer } from "./describe.js";
import { suggestion } from "./names.js";

/** Steps a query may climb: Contact.Account.Owner.Manager.Profile.Name. */
const MAX_STEPS = 5;
/** A lookup to more kinds of parents than this is not described parent by parent: an activity's What has over fifty. */
const MAX_PARENTS = 5;

/** What a lookup to several kinds of parents offers whatever they are (SOQL's Name object). */
const ANY_PARENT: ReadonlyMap<string, DescribedField> = new Map(
  [
    { name: "Id", type: "id", length: 18 },
    { name: "Name", type: "string", length: 255 },
    { name: "Type", type: "picklist", length: 40 },
  ].map((field) => [field.name, field]),
);

/** A field of the stream or of a parent. */
export interface ResolvedPath {
  readonly field: DescribedField;
  /** Named by its whole path. */
  readonly column: Field;
  /** Exactly one object it can belong to, so that its description holds for every record. */
  readonly certain: boolean;
  /** The kinds of objects it can belong to; empty for a lookup to too many of them. */
  readonly owners: readonly DescribedObject[];
}

/** Follows `Name` or `Owner.Manager.Name` from an object. ConfigError naming the step that does not exist. */
export async function resolvePath(
  describer: Describer,
  object: DescribedObject,
  path: string,
  signal: AbortSignal,
): Promise<ResolvedPath> {
  const place = `salesforce ${object.name}`;
  const steps = path.split(".");
  const last = steps.pop() ?? "";
  if (steps.length > MAX_STEPS) {
    throw new ConfigError("SALESFORCE_PATH_TOO_DEEP", `${path} climbs more than ${MAX_STEPS} relationships`, {
      place,
      fix: "Read the parent in a flow of its own.",
    });
  }
  let parents: readonly DescribedObject[] = [object];
  let polymorphic = false;
  for (const step of steps) {
    const targets = new Set(
      parents.flatMap((parent) => relationshipOf(parent, step, path, place).referenceTo ?? []),
    );
    polymorphic ||= targets.size > 1;
    parents =
      targets.size > MAX_PARENTS
        ? []
        : await Promise.all([...targets].map((target) => describer.object(target, signal)));
  }
  const field = commonField(parents, last) ?? (polymorphic ? ANY_PARENT.get(last) : undefined);
  if (field === undefined) throw unknownField(parents, last, path, place);
  const column = columnOf(field);
  if (column === undefined) {
    throw new ConfigError("SALESFORCE_FILE_FIELD", `${path} holds a file, which a query cannot read`, {
      place,
      fix: "Leave it out of map.",
    });
  }
  return { field, column: { ...column, name: path }, certain: !polymorphic, owners: parents };
}

function relationshipOf(parent: DescribedObject, step: string, path: string, place: string): DescribedField {
  const lookups = [...parent.fields.values()].filter((field) => field.relationshipName);
  const found = lookups.find((field) => field.relationshipName === step);
  if (found !== undefined) return found;
  const known = lookups.map((field) => field.relationshipName ?? "");
  throw new ConfigError(
    "SALESFORCE_UNKNOWN_RELATIONSHIP",
    `${parent.name} has no relationship ${step} (in ${path})`,
    {
      place,
      fix: suggestion(
        step,
        known,
        `Relationships of ${parent.name}: ${known.slice(0, 20).join(", ") || "none"}.`,
      ),
    },
  );
}

/** The field where every kind of parent has it with the same type. */
function commonField(parents: readonly DescribedObject[], name: string): DescribedField | undefined {
  const found = parents.map((parent) => parent.fields.get(name));
  const [first] = found;
  return found.every((field) => field !== undefined && field.type === first?.type) ? first : undefined;
}

function unknownField(
  parents: readonly DescribedObject[],
  name: string,
  path: string,
  place: string,
): ConfigError {
  const known = parents.flatMap((parent) => [...parent.fields.keys()]);
  const where = parents.length === 1 ? parents[0]?.name : "every kind of parent";
  return new ConfigError(
    "SALESFORCE_UNKNOWN_FIELD",
    `${where} has no field ${name}${name === path ? "" : ` (in ${path})`}`,
    {
      place,
      fix: suggestion(name, known, "Check its API name, and the field-level security of the user."),
    },
  );
}
