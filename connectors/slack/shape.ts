import type { SourceRecord, Value } from "../../core/contracts/index.js";
import {
  CHANGED_AT,
  CHANNEL_FIELDS,
  DELETED,
  EXTRA,
  FILE_FIELDS,
  MESSAGE_FIELDS,
  TEAM_FIELDS,
  USER_FIELDS,
  USERGROUP_FIELDS,
} from "./fields.js";
import { isoOf, type Micros, microsOf, microsOfNumber } from "./moment.js";

/* Slack's objects as records of the streams: the keys that identify and date them, and what is unknown in `extra`. */

const names = (fields: readonly { readonly name: string }[]): ReadonlySet<string> =>
  new Set(fields.map(({ name }) => name));

const KNOWN = {
  message: names(MESSAGE_FIELDS),
  file: names(FILE_FIELDS),
  user: names(USER_FIELDS),
  usergroup: names(USERGROUP_FIELDS),
  channel: names(CHANNEL_FIELDS),
  team: names(TEAM_FIELDS),
};

/** Puts the keys of Slack's object into `record`; what Sluice adds stands there already and is not overwritten. */
function fill(record: SourceRecord, object: SourceRecord, known: ReadonlySet<string>): SourceRecord {
  let extra: SourceRecord | undefined;
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (value === undefined) continue;
    if (known.has(name) && name !== EXTRA && record[name] === undefined) record[name] = value;
    else if (!known.has(name) || name === EXTRA) {
      extra ??= {};
      // Own keys only: `__proto__` would set the prototype.
      Object.defineProperty(extra, name, { value, enumerable: true, writable: true, configurable: true });
    }
  }
  if (extra !== undefined) record[EXTRA] = extra;
  return record;
}

/** The conversation that a message belongs to; messages do not say. */
export interface ChannelNames {
  readonly id: string;
  readonly name: string | null;
}

/** When a message came to be as it is: posted or edited. */
export function changedAt(message: SourceRecord, at: Micros): Micros {
  const edited = message.edited;
  const ts =
    typeof edited === "object" && edited !== null && "ts" in edited ? microsOf(edited.ts) : undefined;
  return ts === undefined || ts < at ? at : ts;
}

export function isTombstone(message: SourceRecord): boolean {
  return message.subtype === "tombstone";
}

export function messageRecord(
  message: SourceRecord,
  at: Micros,
  changed: Micros,
  channel: ChannelNames,
): SourceRecord {
  const record: SourceRecord = {
    channel_id: channel.id,
    ts: message.ts ?? null,
    channel_name: channel.name,
    posted_at: isoOf(at),
    [CHANGED_AT]: isoOf(changed),
    [DELETED]: isTombstone(message),
  };
  return fill(record, message, KNOWN.message);
}

/** A message that was there and is gone. Slack does not say when: it is dated by the end of the window that missed it. */
export function goneMessage(
  ts: string,
  changed: Micros,
  channel: ChannelNames,
  threadTs?: string,
): SourceRecord {
  return {
    channel_id: channel.id,
    ts,
    channel_name: channel.name,
    posted_at: isoOf(microsOf(ts) ?? 0),
    [CHANGED_AT]: isoOf(changed),
    [DELETED]: true,
    ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
  };
}

export function isDeletedFile(file: SourceRecord): boolean {
  return file.mode === "tombstone";
}

export function fileRecord(file: SourceRecord, created: Micros, changed: Micros): SourceRecord {
  const record: SourceRecord = {
    id: file.id ?? null,
    created_at: isoOf(created),
    [CHANGED_AT]: isoOf(changed),
    [DELETED]: isDeletedFile(file),
  };
  return fill(record, file, KNOWN.file);
}

export function goneFile(id: string, created: Micros, changed: Micros): SourceRecord {
  return { id, created_at: isoOf(created), [CHANGED_AT]: isoOf(changed), [DELETED]: true };
}

/** Users without `updated` (Slackbot) date from the beginning of time. */
export function userRecord(user: SourceRecord): SourceRecord {
  const profile = user.profile;
  const email =
    typeof profile === "object" && profile !== null && "email" in profile ? profile.email : undefined;
  const record: SourceRecord = {
    id: user.id ?? null,
    updated_at: isoOf(microsOfNumber(user.updated) ?? 0),
    [DELETED]: user.deleted === true,
    email: typeof email === "string" ? email : null,
  };
  return fill(record, user, KNOWN.user);
}

export function usergroupRecord(group: SourceRecord): SourceRecord {
  const record: SourceRecord = {
    id: group.id ?? null,
    updated_at: isoOf(microsOfNumber(group.date_update) ?? microsOfNumber(group.date_create) ?? 0),
    [DELETED]: typeof group.date_delete === "number" && group.date_delete > 0,
  };
  const count = wholeNumber(group.user_count);
  if (count !== undefined) record.user_count = count;
  return fill(record, group, KNOWN.usergroup);
}

/** Counts of user groups are numbers today and were texts. */
function wholeNumber(value: Value | undefined): number | undefined {
  return typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

export function channelRecord(channel: SourceRecord): SourceRecord {
  const created = microsOfNumber(channel.created);
  const record: SourceRecord = {
    id: channel.id ?? null,
    updated_at: isoOf(microsOfNumber(channel.updated) ?? created ?? 0),
    [DELETED]: false,
    created_at: created === undefined ? null : isoOf(created),
  };
  return fill(record, channel, KNOWN.channel);
}

export function teamRecord(team: SourceRecord): SourceRecord {
  return fill({ id: team.id ?? null }, team, KNOWN.team);
}

/** What was listed and no longer is. */
export function goneItem(id: string, changed: Micros): SourceRecord {
  return { id, updated_at: isoOf(changed), [DELETED]: true };
}
