import { Prng } from "./prng.js";

/** Texts of a generated org: plain ones mostly, and those that break pipelines. */

export const CITIES: readonly (readonly [
  city: string,
  country: string,
  latitude: number,
  longitude: number,
])[] = [
  ["Berlin", "Germany", 52.520006, 13.404954],
  ["São Paulo", "Brazil", -23.55052, -46.633308],
  ["Zürich", "Switzerland", 47.376887, 8.541694],
  ["東京", "Japan", 35.689487, 139.691706],
  ["القاهرة", "Egypt", 30.04442, 31.235712],
  ["Łódź", "Poland", 51.759249, 19.455983],
  ["Springfield", "United States", 39.781721, -89.650148],
  ["Reykjavík", "Iceland", 64.146582, -21.942636],
];
export const FIRST_NAMES =
  "Ada Grace Linus Zoë José Søren Mei Łukasz Amélie Yusuf Olga Ren François Ingrid".split(" ");
export const LAST_NAMES =
  "Lovelace Hopper O'Brien Müller García Nguyễn Ødegård 山田 חיים Smith-Jones Kowalski d'Arcy Иванова Null".split(
    " ",
  );
export const COMPANY_HEADS =
  "Acme Globex Initech Umbrella Stark Wayne Hooli Vandelay Müller 東芝 Ćevapi Ñandú".split(" ");
export const COMPANY_TAILS = ["GmbH", "Inc.", "& Sons", "S.A.", "株式会社", "Ltd", "AG", '"Prime" LLC'];

/** Whole values that have gone wrong somewhere before: each must arrive as it is. */
export const HOSTILE: readonly string[] = [
  "emoji 👩🏽‍🚀🇪🇺 and 😀",
  "combining: Cafe\u0301, n\u0303",
  "right to left: שלום עולם / مرحبا",
  "漢字とかな交じり文",
  "quotes \" and ' and `backtick`",
  "back\\slash and \\n that is no newline",
  "line one\nline two\r\nline three",
  "tab\tseparated, comma, semicolon; pipe|",
  "NULL",
  "None",
  "NA",
  "N/A",
  "true",
  "00123",
  "1e5",
  "=1+1",
  "2024-02-30",
  "\u00a0no-break\u2028line separator\u2029",
  '{"json": [1, 2, {"deep": null}]}',
  "<b>html &amp; entities</b>",
  "' OR 1=1 --",
  "zero\u200bwidth and \ufeffBOM",
];

const WORDS =
  "account renewal quarter contract delivery customer meeting proposal budget decision review pilot rollout invoice discount".split(
    " ",
  );

export function sentence(random: Prng, words: number): string {
  let text = "";
  for (let n = 0; n < words; n++) text += (n === 0 ? "" : " ") + random.pick(WORDS);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Descriptions shared by many rows, so that a large org stays small in memory; a few are tens of kilobytes. */
export function descriptions(seed: number): readonly string[] {
  const random = Prng.named(seed, "descriptions");
  const texts: string[] = [...HOSTILE];
  for (let n = 0; n < 600; n++) texts.push(sentence(random, 5 + random.below(40)));
  for (let n = 0; n < 30; n++) {
    texts.push(Array.from({ length: 10 + random.below(40) }, () => sentence(random, 12)).join("\n"));
  }
  texts.push(sentence(random, 3000).slice(0, 31_900));
  return texts;
}
