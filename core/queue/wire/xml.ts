import type { Answer } from "./action.js";

/** The answers of the query protocol: the members of the JSON answers, with lists and maps flattened. */
const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";

/** Element of one member of a list. `Successful` is named after its action. */
const LISTS: Readonly<Record<string, string>> = {
  Messages: "Message",
  QueueUrls: "QueueUrl",
  queueUrls: "QueueUrl",
  Failed: "BatchResultErrorEntry",
  Results: "ListMessageMoveTasksResultEntry",
};

/** Element of one entry of a map, and of its key and value. */
const MAPS: Readonly<Record<string, readonly [entry: string, key: string, value: string]>> = {
  Attributes: ["Attribute", "Name", "Value"],
  MessageAttributes: ["MessageAttribute", "Name", "Value"],
  Tags: ["Tag", "Key", "Value"],
};

export function xmlAnswer(action: string, answer: Answer, requestId: string, hasOutput: boolean): string {
  const result = hasOutput ? element(`${action}Result`, members(action, answer)) : "";
  const metadata = element("ResponseMetadata", element("RequestId", escaped(requestId)));
  return document(`${action}Response`, result + metadata);
}

export function xmlError(
  error: { readonly fault: string; readonly queryCode: string; readonly message: string },
  requestId: string,
): string {
  const { fault, queryCode, message } = error;
  const inner =
    element("Type", fault) +
    element("Code", escaped(queryCode)) +
    element("Message", escaped(message)) +
    "<Detail/>";
  return document("ErrorResponse", element("Error", inner) + element("RequestId", escaped(requestId)));
}

function document(root: string, inner: string): string {
  return `<?xml version="1.0"?><${root} xmlns="${NAMESPACE}">${inner}</${root}>`;
}

function element(name: string, inner: string): string {
  return `<${name}>${inner}</${name}>`;
}

function members(action: string, answer: object): string {
  return Object.entries(answer)
    .map(([name, value]) => member(action, name, value))
    .join("");
}

function member(action: string, name: string, value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) {
    const item = name === "Successful" ? `${action}ResultEntry` : (LISTS[name] ?? name);
    return value.map((one: unknown) => element(item, content(action, one))).join("");
  }
  const map = MAPS[name];
  if (map !== undefined && typeof value === "object" && value !== null) {
    const [entry, key, held] = map;
    return Object.entries(value)
      .map(([name, one]) => element(entry, element(key, escaped(name)) + element(held, content(action, one))))
      .join("");
  }
  return element(name, content(action, value));
}

function content(action: string, value: unknown): string {
  return typeof value === "object" && value !== null ? members(action, value) : escaped(String(value));
}

/** A carriage return would come out of an XML parser as a line feed. */
function escaped(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#xD;",
};
