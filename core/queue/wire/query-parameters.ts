import { blobOf } from "./json-parameters.js";
import type { MapForm, Parameters } from "./parameters.js";
import { wireRefusals } from "./wire-error.js";

/** A batch of ten messages with ten attributes each has about 700. */
const MOST_PARAMETERS = 10_000;
/** `SendMessageBatchRequestEntry.1.MessageAttribute.2.Value.StringListValue.3` has seven. */
const MOST_SEGMENTS = 8;

/** Parameters by the segments of their names: `Tag.1.Key` is the child Key of the child 1 of the child Tag. */
interface Node {
  value: string | undefined;
  readonly children: Map<string, Node>;
}

/** Parameters of the query protocol: a form or a query string, where lists and maps are spelled out in the names. */
export class QueryParameters implements Parameters {
  readonly #node: Node;

  private constructor(node: Node) {
    this.#node = node;
  }

  /** Of two parameters with one name the last counts. */
  static from(form: URLSearchParams): QueryParameters {
    if (form.size > MOST_PARAMETERS)
      throw wireRefusals.malformed(`A request can have at most ${MOST_PARAMETERS} parameters.`);
    const root: Node = { value: undefined, children: new Map() };
    for (const [name, value] of form) {
      let node = root;
      for (const segment of name.split(".", MOST_SEGMENTS)) {
        let child = node.children.get(segment);
        if (child === undefined) {
          child = { value: undefined, children: new Map() };
          node.children.set(segment, child);
        }
        node = child;
      }
      node.value = value;
    }
    return new QueryParameters(root);
  }

  text(name: string): string | undefined {
    return this.#node.children.get(name)?.value;
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    if (!/^-?\d{1,15}$/.test(text)) throw wireRefusals.malformed(`${name} must be an integer.`);
    return Number(text);
  }

  blob(name: string): Buffer | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : blobOf(text);
  }

  texts(_name: string, member: string): readonly string[] | undefined {
    return this.#items(member)?.flatMap(({ value }) => value ?? []);
  }

  list(_name: string, member: string): readonly Parameters[] | undefined {
    return this.#items(member)?.map((item) => new QueryParameters(item));
  }

  textMap(_name: string, { entry, key, value }: MapForm): ReadonlyMap<string, string> | undefined {
    const items = this.#items(entry);
    if (items === undefined) return undefined;
    const map = new Map<string, string>();
    for (const item of items) map.set(required(item, entry, key), item.children.get(value)?.value ?? "");
    return map;
  }

  map(_name: string, { entry, key, value }: MapForm): ReadonlyMap<string, Parameters> | undefined {
    const items = this.#items(entry);
    if (items === undefined) return undefined;
    const map = new Map<string, Parameters>();
    for (const item of items)
      map.set(required(item, entry, key), new QueryParameters(item.children.get(value) ?? EMPTY));
    return map;
  }

  /** In the order of their numbers, whatever numbers they are. Where there is only one, the number may be left out. */
  #items(member: string): readonly Node[] | undefined {
    const node = this.#node.children.get(member);
    if (node === undefined) return undefined;
    const numbered = [...node.children].filter(([segment]) => /^\d+$/.test(segment));
    if (numbered.length === 0) return [node];
    return numbered.sort(([a], [b]) => Number(a) - Number(b)).map(([, item]) => item);
  }
}

const EMPTY: Node = { value: undefined, children: new Map() };

function required(item: Node, entry: string, key: string): string {
  const name = item.children.get(key)?.value;
  if (name === undefined) throw wireRefusals.missing(`${entry}.${key}`);
  return name;
}
