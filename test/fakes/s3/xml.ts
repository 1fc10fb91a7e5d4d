/** A tree for xml(): text, children by element name, or a list that repeats the element. `undefined` is left out. */
export type Tree =
  | string
  | number
  | boolean
  | undefined
  | readonly Tree[]
  | { readonly [element: string]: Tree };

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

/** An XML document with one root element, as S3 writes them. */
export function xml(root: string, content: Tree, namespaced = true): Buffer {
  const attribute = namespaced ? ` xmlns="${NAMESPACE}"` : "";
  const body = element(root, content).replace(`<${root}`, `<${root}${attribute}`);
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`);
}

function element(name: string, content: Tree): string {
  if (content === undefined) return "";
  if (isList(content)) return content.map((item) => element(name, item)).join("");
  if (typeof content !== "object") return `<${name}>${escapeText(String(content))}</${name}>`;
  const children = Object.entries(content).map(([child, tree]) => element(child, tree));
  return `<${name}>${children.join("")}</${name}>`;
}

/** Array.isArray does not narrow a readonly array out of a union. */
function isList(tree: Tree): tree is readonly Tree[] {
  return Array.isArray(tree);
}

const REFERENCES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#xd;",
};

/** Control characters other than tab and line ends cannot stand in XML 1.0; S3 writes references for them all the same. */
function escapeText(text: string): string {
  return text.replace(/[&<>"\r]|(?![\t\n])\p{Cc}/gu, (character) => {
    return REFERENCES[character] ?? `&#x${character.charCodeAt(0).toString(16)};`;
  });
}

/** Texts between `<name>` and `</name>`, in order; enough for the flat request documents of S3. */
export function elements(document: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, "g");
  return [...document.matchAll(pattern)].map((match) => match[1] ?? "");
}

/** The first text of that element with its references resolved; undefined when absent. */
export function textOf(document: string, name: string): string | undefined {
  const found = elements(document, name)[0];
  return found === undefined ? undefined : unescapeText(found);
}

function unescapeText(text: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    return named[name] ?? whole;
  });
}
