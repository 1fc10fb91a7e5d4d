import type { FieldType, SourceField } from "../../core/contracts/index.js";

/*
 * Slack describes nothing, so the fields are written down here. What is nested and open (blocks, attachments, profiles) is json. Slack
 * adds keys without notice: those that are not listed gather in the json field `extra`, so that nothing of a record is lost.
 */

type Row = readonly [name: string, type: FieldType, description?: string];

/** Nothing can be pushed down: Slack has no predicates but the channel and the time. */
function fields(...rows: readonly Row[]): readonly SourceField[] {
  return rows.map(([name, type, description]) => ({
    name,
    type,
    filterable: false,
    ...(description === undefined ? {} : { description }),
  }));
}

/** Takes the keys that no field holds. */
export const EXTRA = "extra";
/** The delete marker of every stream that has one. */
export const DELETED = "deleted";
export const CHANGED_AT = "changed_at";

const extra: Row = [
  EXTRA,
  "json",
  "Keys of Slack's record that have no field here; null where there are none.",
];

export const MESSAGE_FIELDS = fields(
  ["channel_id", "string", "Conversation; the key together with ts."],
  ["ts", "string", "Identity of the message inside its channel. A text, never a number."],
  ["channel_name", "string", "Name of the channel when it was read; null for direct messages."],
  ["posted_at", "timestamp", "ts as an instant."],
  [
    CHANGED_AT,
    "timestamp",
    "When this version came to be: posted or edited; what a later look finds changed or gone, the end of its window.",
  ],
  [DELETED, "boolean", "True: the message is no longer there (or is a tombstone that holds its thread)."],
  ["type", "string"],
  [
    "subtype",
    "string",
    "Null for ordinary messages; channel_join, bot_message, thread_broadcast, tombstone, ...",
  ],
  ["user", "string"],
  ["bot_id", "string"],
  ["app_id", "string"],
  ["username", "string"],
  ["text", "string"],
  ["thread_ts", "string", "ts of the thread's parent; the message's own ts in the parent."],
  ["parent_user_id", "string"],
  ["reply_count", "integer"],
  ["reply_users_count", "integer"],
  ["latest_reply", "string", "ts of the newest reply."],
  ["reply_users", "json"],
  ["is_locked", "boolean"],
  ["edited", "json", "user and ts of the last edit."],
  ["client_msg_id", "string"],
  ["team", "string"],
  ["blocks", "json"],
  ["attachments", "json"],
  ["files", "json"],
  ["reactions", "json"],
  ["metadata", "json"],
  ["bot_profile", "json"],
  ["root", "json", "The parent, in replies that were also sent to the channel."],
  ["pinned_to", "json"],
  ["upload", "boolean"],
  ["hidden", "boolean"],
  extra,
);

export const FILE_FIELDS = fields(
  ["id", "string"],
  ["created_at", "timestamp"],
  [
    CHANGED_AT,
    "timestamp",
    "When this version came to be: created; what a later look finds changed or gone, the end of its window.",
  ],
  [DELETED, "boolean"],
  ["created", "integer", "Seconds since 1970."],
  ["timestamp", "integer"],
  ["name", "string"],
  ["title", "string"],
  ["mimetype", "string"],
  ["filetype", "string"],
  ["pretty_type", "string"],
  ["user", "string"],
  ["user_team", "string"],
  ["username", "string"],
  ["size", "integer"],
  ["mode", "string", "hosted, external, snippet, post, tombstone (deleted), hidden_by_limit, ..."],
  ["editable", "boolean"],
  ["is_external", "boolean"],
  ["external_type", "string"],
  ["is_public", "boolean"],
  ["public_url_shared", "boolean"],
  ["display_as_bot", "boolean"],
  ["url_private", "string"],
  ["url_private_download", "string"],
  ["permalink", "string"],
  ["permalink_public", "string"],
  ["channels", "json"],
  ["groups", "json"],
  ["ims", "json"],
  ["shares", "json"],
  ["comments_count", "integer"],
  extra,
);

export const USER_FIELDS = fields(
  ["id", "string"],
  ["updated_at", "timestamp"],
  [DELETED, "boolean", "Deactivated, or no longer listed."],
  ["team_id", "string"],
  ["name", "string"],
  ["real_name", "string"],
  ["email", "string", "profile.email; needs the scope users:read.email."],
  ["tz", "string"],
  ["tz_label", "string"],
  ["tz_offset", "integer", "Seconds."],
  ["color", "string"],
  ["is_bot", "boolean"],
  ["is_app_user", "boolean"],
  ["is_admin", "boolean"],
  ["is_owner", "boolean"],
  ["is_primary_owner", "boolean"],
  ["is_restricted", "boolean", "Guest."],
  ["is_ultra_restricted", "boolean", "Guest of one channel."],
  ["is_stranger", "boolean"],
  ["is_invited_user", "boolean"],
  ["is_email_confirmed", "boolean"],
  ["has_2fa", "boolean"],
  ["locale", "string"],
  ["who_can_share_contact_card", "string"],
  ["updated", "integer", "Seconds since 1970."],
  ["profile", "json"],
  ["enterprise_user", "json"],
  extra,
);

export const USERGROUP_FIELDS = fields(
  ["id", "string"],
  ["updated_at", "timestamp"],
  [DELETED, "boolean", "Disabled, or no longer listed."],
  ["team_id", "string"],
  ["name", "string"],
  ["handle", "string"],
  ["description", "string"],
  ["is_usergroup", "boolean"],
  ["is_subteam", "boolean"],
  ["is_external", "boolean"],
  ["auto_type", "string"],
  ["auto_provision", "boolean"],
  ["enterprise_subteam_id", "string"],
  ["date_create", "integer", "Seconds since 1970."],
  ["date_update", "integer"],
  ["date_delete", "integer", "0 while enabled."],
  ["created_by", "string"],
  ["updated_by", "string"],
  ["deleted_by", "string"],
  ["users", "json", "Ids of the members."],
  ["user_count", "integer"],
  ["channel_count", "integer"],
  ["prefs", "json", "Default channels and groups."],
  extra,
);

export const CHANNEL_FIELDS = fields(
  ["id", "string"],
  ["updated_at", "timestamp"],
  [
    DELETED,
    "boolean",
    "No longer visible to this token: deleted, or private and left. Archived channels are not deleted.",
  ],
  ["created_at", "timestamp"],
  ["name", "string"],
  ["name_normalized", "string"],
  ["is_channel", "boolean"],
  ["is_group", "boolean"],
  ["is_im", "boolean"],
  ["is_mpim", "boolean"],
  ["is_private", "boolean"],
  ["is_archived", "boolean"],
  ["is_general", "boolean"],
  ["is_member", "boolean", "Whether the token's bot or user is a member."],
  ["is_shared", "boolean"],
  ["is_ext_shared", "boolean"],
  ["is_org_shared", "boolean"],
  ["is_pending_ext_shared", "boolean"],
  ["is_user_deleted", "boolean"],
  ["user", "string", "The other one of a direct message."],
  ["creator", "string"],
  ["created", "integer", "Seconds since 1970."],
  ["updated", "integer", "Milliseconds since 1970, unlike created."],
  ["num_members", "integer"],
  ["topic", "json"],
  ["purpose", "json"],
  ["previous_names", "json"],
  ["parent_conversation", "string"],
  ["unlinked", "integer"],
  ["context_team_id", "string"],
  ["shared_team_ids", "json"],
  ["pending_shared", "json"],
  ["properties", "json"],
  extra,
);

export const MEMBER_FIELDS = fields(
  ["channel_id", "string"],
  ["user_id", "string"],
  ["channel_name", "string"],
);

export const TEAM_FIELDS = fields(
  ["id", "string"],
  ["name", "string"],
  ["domain", "string"],
  ["url", "string"],
  ["email_domain", "string"],
  ["enterprise_id", "string"],
  ["enterprise_name", "string"],
  ["enterprise_domain", "string"],
  ["is_verified", "boolean"],
  ["avatar_base_url", "string"],
  ["icon", "json"],
  extra,
);
