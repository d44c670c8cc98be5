//! What a delivery says: from a domain event to the JSON of each kind (contract: events, "Events").
//!
//! A new event is carried out by its case in [`Subject::of`] and in [`details`]: the compiler asks
//! for both.

use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_auth::Role;
use guildhall_data::{ChannelId, CommunityId, UserId, WebhookId, id::MalformedId};
use guildhall_directory::User;
use guildhall_proto::{
    events::v1::{Event, event::Payload},
    messaging::v1::{ChannelType, FileReference},
};
use guildhall_runtime::{Error, Result, Timestamp};
use serde_json::{Value, json};

use super::EventKind;

/// A domain event, as far as it decides who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The community in which it happened.
    pub community: CommunityId,
    /// When it happened.
    pub time: Timestamp,
    /// The kinds that tell of it.
    pub kinds: &'static [EventKind],
    /// The user whom it is about.
    pub user: Option<UserId>,
    /// The channel in which it happened.
    pub channel: Option<ChannelId>,
    /// Whether that is one of direct messages.
    pub is_direct: bool,
    /// The incoming webhook that caused it.
    pub came_by: Option<WebhookId>,
    /// Whether a bulk import caused it.
    pub by_bulk_import: bool,
}

impl Subject {
    /// What an event is about; none for what no kind tells of.
    ///
    /// # Errors
    /// INTERNAL when the event breaks its contract.
    pub fn of(event: &Event) -> Result<Option<Self>> {
        let Some(payload) = &event.payload else {
            return Ok(None);
        };
        let subject = Self {
            community: event.community_id.parse().map_err(Error::internal)?,
            time: event
                .time
                .map(Timestamp::from)
                .unwrap_or_else(Timestamp::now),
            kinds: &[],
            user: optional(&event.actor_id)?,
            channel: None,
            is_direct: false,
            came_by: None,
            by_bulk_import: false,
        };
        let within = |channel: &str, kind: ChannelType| {
            Ok::<_, Error>(Self {
                channel: Some(channel.parse().map_err(Error::internal)?),
                is_direct: kind == ChannelType::Dm,
                ..subject
            })
        };
        Ok(Some(match payload {
            Payload::MessagePosted(posted) => Self {
                kinds: &[EventKind::MessagePosted, EventKind::ChannelMessagePosted],
                came_by: optional(&posted.incoming_webhook_id)?,
                ..within(&posted.channel_id, posted.channel_type())?
            },
            Payload::ReactionAdded(added) => Self {
                kinds: &[EventKind::ReactionAdded],
                ..within(&added.channel_id, added.channel_type())?
            },
            Payload::ReactionRemoved(removed) => Self {
                kinds: &[EventKind::ReactionRemoved],
                ..within(&removed.channel_id, removed.channel_type())?
            },
            Payload::MemberJoined(joined) => Self {
                kinds: &[EventKind::UserJoinedCommunity],
                user: optional(&joined.user_id)?,
                by_bulk_import: joined.by_bulk_import,
                ..subject
            },
            Payload::WorkflowEventReceived(_) => return Ok(None),
        }))
    }
}

fn optional<T: FromStr<Err = MalformedId>>(id: &str) -> Result<Option<T>> {
    let id = (!id.is_empty()).then(|| id.parse()).transpose();
    id.map_err(Error::internal)
}

/// The `event_id` of one kind of an event, a UUID: the same for every receiver and on every retry.
#[must_use]
pub fn event_id(event: &Event, kind: EventKind) -> String {
    let hash = digest(&SHA256, format!("{}:{}", event.id, kind.name()).as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    // Version and variant, as RFC 9562 has them for random bits.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

/// The body of a delivery. A user who is gone is null: better than losing the event.
///
/// # Errors
/// A bug: only when JSON cannot be written.
pub fn body(
    event: &Event,
    subject: &Subject,
    kind: EventKind,
    community_name: &str,
    user: Option<&User>,
) -> Result<String> {
    let user = user.map_or(Value::Null, |user| person(user, kind));
    let payload = event.payload.as_ref();
    let added = payload.map_or(Value::Null, |payload| details(payload, subject.time));
    let id = event_id(event, kind);
    let community = (subject.community, community_name);
    written(kind, &id, subject.time, community, user, added)
}

/// A body with the common fields and those that its kind adds.
///
/// # Errors
/// A bug: only when JSON cannot be written.
pub(super) fn written(
    kind: EventKind,
    event_id: &str,
    time: Timestamp,
    (community, name): (CommunityId, &str),
    user: Value,
    added: Value,
) -> Result<String> {
    let mut body = json!({
        "event": kind.name(),
        "event_id": event_id,
        "timestamp": time.to_iso(),
        "community": { "community_id": community.to_string(), "name": name },
        "user": user,
    });
    if let (Some(body), Value::Object(added)) = (body.as_object_mut(), added) {
        body.extend(added);
    }
    serde_json::to_string(&body).map_err(Error::internal)
}

pub(super) fn person(user: &User, kind: EventKind) -> Value {
    let mut shown = json!({
        "user_id": user.number.to_string(),
        "username": user.username,
        "email": user.email,
    });
    if kind == EventKind::UserJoinedCommunity {
        shown["roles"] = json!([role_name(user.role)]);
    }
    shown
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Unspecified | Role::Member => "Member",
        Role::Admin => "Admin",
        Role::Owner => "Owner",
    }
}

/// The fields that an event adds to the common ones.
pub(super) fn details(payload: &Payload, time: Timestamp) -> Value {
    match payload {
        Payload::MessagePosted(posted) => json!({
            "message": {
                "id": posted.message_id,
                "text": posted.text,
                "parent_id": or_null(&posted.parent_id),
                "forum_topic_id": or_null(&posted.topic_id),
                "attachments": posted.attachments.iter().map(attachment).collect::<Vec<_>>(),
            },
            "channel": channel(&posted.channel_id, &posted.channel_name, posted.channel_type()),
        }),
        Payload::ReactionAdded(added) => json!({
            "reaction": { "emoji": added.emoji, "message_id": added.message_id },
            "channel": channel(&added.channel_id, &added.channel_name, added.channel_type()),
        }),
        Payload::ReactionRemoved(removed) => json!({
            "reaction": { "emoji": removed.emoji, "message_id": removed.message_id },
            "channel": channel(&removed.channel_id, &removed.channel_name, removed.channel_type()),
        }),
        Payload::MemberJoined(_) => json!({ "joined_at": time.to_iso() }),
        Payload::WorkflowEventReceived(_) => json!({}),
    }
}

fn channel(id: &str, name: &str, kind: ChannelType) -> Value {
    json!({ "channel_id": id, "name": name, "channel_type": channel_type(kind) })
}

fn channel_type(kind: ChannelType) -> &'static str {
    match kind {
        ChannelType::Unspecified | ChannelType::Open => "open",
        ChannelType::Announcement => "announcement",
        ChannelType::Dm => "dm",
        ChannelType::Forum => "forum",
    }
}

fn attachment(file: &FileReference) -> Value {
    json!({ "url": file.url, "name": file.name, "type": file.r#type, "size": file.size })
}

fn or_null(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use guildhall_proto::events::v1::{MemberJoined, MessagePosted, ReactionAdded};

    use super::*;

    const CHANNEL: &str = "00000000000000000000000c";

    fn event(payload: Payload) -> Event {
        Event {
            id: "00000000000000000000000e".into(),
            time: Some(Timestamp::from_millis(1_767_323_045_678).into()),
            community_id: "c00000000000000000000001".into(),
            actor_id: "00000000000000000000000a".into(),
            payload: Some(payload),
            ..Event::default()
        }
    }

    fn ann() -> User {
        User {
            id: "00000000000000000000000a".parse().unwrap(),
            number: 1201,
            username: "ann".into(),
            email: "ann@example.com".into(),
            display_name: "Ann".into(),
            first_name: "Ann".into(),
            avatar: String::new(),
            role: Role::Member,
            active: true,
            bot: false,
        }
    }

    fn told(event: &Event, kind: EventKind, user: Option<&User>) -> Value {
        let subject = Subject::of(event).unwrap().unwrap();
        assert!(subject.kinds.contains(&kind));
        let body = body(event, &subject, kind, "Club", user).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn a_message_is_told_as_the_contract_says() {
        let posted = event(Payload::MessagePosted(MessagePosted {
            message_id: "00000000000000000000000d".into(),
            channel_id: CHANNEL.into(),
            text: "Hi".into(),
            channel_name: "General".into(),
            channel_type: ChannelType::Open.into(),
            ..MessagePosted::default()
        }));
        let kind = EventKind::ChannelMessagePosted;
        let expected = json!({
            "event": "channel_message_posted",
            "event_id": event_id(&posted, kind),
            "timestamp": "2026-01-02T03:04:05.678Z",
            "community": { "community_id": "c00000000000000000000001", "name": "Club" },
            "user": { "user_id": "1201", "username": "ann", "email": "ann@example.com" },
            "message": {
                "id": "00000000000000000000000d", "text": "Hi", "parent_id": null,
                "forum_topic_id": null, "attachments": []
            },
            "channel": { "channel_id": CHANNEL, "name": "General", "channel_type": "open" }
        });
        assert_eq!(told(&posted, kind, Some(&ann())), expected);
        assert_eq!(told(&posted, kind, None)["user"], Value::Null);
    }

    #[test]
    fn a_new_member_is_told_with_their_role() {
        let joined = event(Payload::MemberJoined(MemberJoined {
            user_id: ann().id.to_string(),
            by_bulk_import: false,
        }));
        let told = told(&joined, EventKind::UserJoinedCommunity, Some(&ann()));
        assert_eq!(told["user"]["roles"], json!(["Member"]));
        assert_eq!(told["joined_at"], "2026-01-02T03:04:05.678Z");
    }

    #[test]
    fn a_reaction_is_told_with_its_message() {
        let added = event(Payload::ReactionAdded(ReactionAdded {
            message_id: "00000000000000000000000d".into(),
            channel_id: CHANNEL.into(),
            emoji: "🎉".into(),
            channel_type: ChannelType::Forum.into(),
            ..ReactionAdded::default()
        }));
        let told = told(&added, EventKind::ReactionAdded, None);
        assert_eq!(told["reaction"]["emoji"], "🎉");
        assert_eq!(told["channel"]["channel_type"], "forum");
    }

    #[test]
    fn an_event_id_is_a_uuid_of_its_own_for_each_kind() {
        let event = event(Payload::MemberJoined(MemberJoined::default()));
        let id = event_id(&event, EventKind::MessagePosted);
        assert_eq!(id, event_id(&event, EventKind::MessagePosted));
        assert_ne!(id, event_id(&event, EventKind::ChannelMessagePosted));
        let parts: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
}
