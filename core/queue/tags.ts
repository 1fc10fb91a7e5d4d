import { refusals } from "./refusals.js";

const MOST_TAGS = 50;
const LONGEST_KEY = 128;
const LONGEST_VALUE = 256;

/** SQS Developer Guide, tagging: keys of 1-128 and values of 0-256 characters, about 50 a queue. */
export function checkTags(
  queue: string,
  given: Readonly<Record<string, string>>,
  all: Readonly<Record<string, string>>,
): void {
  const entries = Object.entries(given);
  if (entries.length === 0) throw refusals.tags(queue, "The request must contain the parameter Tags.");
  for (const [key, value] of entries) {
    if (key.length < 1 || key.length > LONGEST_KEY)
      throw refusals.tags(queue, `Tag keys must be between 1 and ${LONGEST_KEY} characters in length.`);
    if (value.length > LONGEST_VALUE)
      throw refusals.tags(queue, `Tag values must be at most ${LONGEST_VALUE} characters in length.`);
    if (key.toLowerCase().startsWith("aws:"))
      throw refusals.tags(queue, "Tag keys must not begin with aws:, which is reserved.");
  }
  if (Object.keys(all).length > MOST_TAGS)
    throw refusals.tags(queue, `Too many tags added for queue ${queue}.`);
}
