import { FIELD_TYPES, type FieldType, InvariantError, type SourceField } from "../../core/contracts/index.js";

/**
 * Columns of a stream from one text: `id:integer subject created_at:timestamp via:json`; a name alone is a string.
 * No column is filterable: the exports take no condition but the start time.
 */
export function columns(text: string): readonly SourceField[] {
  return text
    .trim()
    .split(/\s+/)
    .map((entry) => {
      const [name = "", type = "string"] = entry.split(":");
      if (!isType(type)) throw new InvariantError("ZENDESK_COLUMNS", `${entry} has no known type`);
      return { name, type, filterable: false };
    });
}

function isType(type: string): type is FieldType {
  return FIELD_TYPES.some((known) => known === type);
}

/* The fields that Zendesk documents, by stream. Parts that differ in form from row to row are json. */

export const TICKETS = columns(`
  id:integer url external_id via:json created_at:timestamp updated_at:timestamp generated_timestamp:timestamp
  type subject raw_subject description priority status custom_status_id:integer recipient
  requester_id:integer submitter_id:integer assignee_id:integer organization_id:integer group_id:integer
  collaborator_ids:json follower_ids:json email_cc_ids:json forum_topic_id:integer problem_id:integer
  has_incidents:boolean is_public:boolean due_at:timestamp tags:json custom_fields:json satisfaction_rating:json
  sharing_agreement_ids:json followup_ids:json ticket_form_id:integer brand_id:integer
  allow_channelback:boolean allow_attachments:boolean from_messaging_channel:boolean support_type encoded_id
  satisfaction_probability:double
`);

export const USERS = columns(`
  id:integer url name email created_at:timestamp updated_at:timestamp time_zone iana_time_zone phone
  shared_phone_number:boolean photo:json locale_id:integer locale organization_id:integer role verified:boolean
  external_id tags:json alias active:boolean shared:boolean shared_agent:boolean last_login_at:timestamp
  two_factor_auth_enabled:boolean signature details notes role_type:integer custom_role_id:integer
  moderator:boolean ticket_restriction only_private_comments:boolean restricted_agent:boolean suspended:boolean
  default_group_id:integer report_csv:boolean chat_only:boolean user_fields:json permanently_deleted:boolean
`);

export const ORGANIZATIONS = columns(`
  id:integer url name shared_tickets:boolean shared_comments:boolean external_id created_at:timestamp
  updated_at:timestamp domain_names:json details notes group_id:integer tags:json organization_fields:json
  deleted_at:timestamp
`);

export const TICKET_EVENTS = columns(`
  id:integer ticket_id:integer timestamp:timestamp created_at:timestamp updater_id:integer via
  via_reference_id:integer event_type system:json metadata:json merged_ticket_ids:json child_events:json
`);

export const TICKET_COMMENTS = columns(`
  id:integer ticket_id:integer event_id:integer timestamp:timestamp created_at:timestamp author_id:integer
  public:boolean type body html_body plain_body attachments:json audit_id:integer via:json via_reference_id:integer
  metadata:json trusted:boolean formatted_from transcription_visible:boolean data:json
`);

export const TICKET_METRIC_EVENTS = columns(`
  id:integer ticket_id:integer metric instance_id:integer type time:timestamp status:json sla:json group_sla:json
  deleted:boolean
`);

export const TICKET_METRICS = columns(`
  id:integer ticket_id:integer url created_at:timestamp updated_at:timestamp generated_timestamp:timestamp
  group_stations:integer assignee_stations:integer reopens:integer replies:integer
  assignee_updated_at:timestamp requester_updated_at:timestamp status_updated_at:timestamp
  initially_assigned_at:timestamp assigned_at:timestamp solved_at:timestamp latest_comment_added_at:timestamp
  custom_status_updated_at:timestamp reply_time_in_minutes:json reply_time_in_seconds:json
  first_resolution_time_in_minutes:json full_resolution_time_in_minutes:json agent_wait_time_in_minutes:json
  requester_wait_time_in_minutes:json on_hold_time_in_minutes:json
`);

export const TICKET_FIELDS = columns(`
  id:integer url type title raw_title description raw_description position:integer active:boolean required:boolean
  collapsed_for_agents:boolean regexp_for_validation title_in_portal raw_title_in_portal
  visible_in_portal:boolean editable_in_portal:boolean required_in_portal:boolean agent_can_edit:boolean tag
  created_at:timestamp updated_at:timestamp removable:boolean key agent_description custom_field_options:json
  system_field_options:json custom_statuses:json sub_type_id:integer relationship_target_type
  relationship_filter:json creator_user_id:integer creator_app_name
`);

export const USER_FIELDS = columns(`
  id:integer url key type title raw_title description raw_description position:integer active:boolean
  system:boolean regexp_for_validation tag created_at:timestamp updated_at:timestamp custom_field_options:json
  relationship_target_type relationship_filter:json
`);

export const GROUPS = columns(`
  id:integer url name description default:boolean is_public:boolean deleted:boolean created_at:timestamp
  updated_at:timestamp
`);

export const GROUP_MEMBERSHIPS = columns(`
  id:integer url user_id:integer group_id:integer default:boolean created_at:timestamp updated_at:timestamp
`);

export const ORGANIZATION_MEMBERSHIPS = columns(`
  id:integer url user_id:integer organization_id:integer organization_name default:boolean
  view_tickets:boolean created_at:timestamp updated_at:timestamp
`);

export const BRANDS = columns(`
  id:integer url name brand_url subdomain host_mapping has_help_center:boolean help_center_state active:boolean
  default:boolean is_deleted:boolean logo:json ticket_form_ids:json signature_template created_at:timestamp
  updated_at:timestamp
`);

export const TICKET_FORMS = columns(`
  id:integer url name raw_name display_name raw_display_name position:integer active:boolean default:boolean
  end_user_visible:boolean ticket_field_ids:json in_all_brands:boolean restricted_brand_ids:json
  end_user_conditions:json agent_conditions:json created_at:timestamp updated_at:timestamp
`);

export const SLA_POLICIES = columns(`
  id:integer url title description position:integer filter:json policy_metrics:json metric_settings:json
  created_at:timestamp updated_at:timestamp
`);

export const MACROS = columns(`
  id:integer url title raw_title description active:boolean position:integer default:boolean actions:json
  restriction:json created_at:timestamp updated_at:timestamp
`);

export const TRIGGERS = columns(`
  id:integer url title raw_title description active:boolean position:integer default:boolean category_id
  conditions:json actions:json created_at:timestamp updated_at:timestamp
`);

export const VIEWS = columns(`
  id:integer url title raw_title description active:boolean position:integer default:boolean conditions:json
  execution:json restriction:json created_at:timestamp updated_at:timestamp
`);

export const SATISFACTION_RATINGS = columns(`
  id:integer url assignee_id:integer group_id:integer requester_id:integer ticket_id:integer score
  comment comment_id:integer reason reason_id:integer reason_code:integer created_at:timestamp
  updated_at:timestamp
`);

export const AUDIT_LOGS = columns(`
  id:integer url actor_id:integer actor_name source_id:integer source_type source_label action action_label
  change_description ip_address created_at:timestamp
`);

export const ARTICLES = columns(`
  id:integer url html_url title name body locale source_locale author_id:integer section_id:integer
  permission_group_id:integer user_segment_id:integer user_segment_ids:json comments_disabled:boolean
  draft:boolean promoted:boolean position:integer vote_sum:integer vote_count:integer outdated:boolean
  outdated_locales:json label_names:json content_tag_ids:json created_at:timestamp updated_at:timestamp
  edited_at:timestamp
`);
