//! Samples of what a webhook tells of, made up, for those who build a receiver (contract: events,
//! "Events"). What the platform tells of already is written by the code that tells it.

use guildhall_auth::Role;
use guildhall_data::{CommunityId, EventId};
use guildhall_directory::User;
use guildhall_proto::{
    events::v1::{
        Event, MemberJoined, MessagePosted, ReactionAdded, ReactionRemoved, event::Payload,
    },
    messaging::v1::ChannelType,
};
use guildhall_runtime::{Error, Result, Timestamp};
use serde_json::{Value, json};

use super::{EventKind, payload};

const USER: &str = "a00000000000000000001201";
const CHANNEL: &str = "ca0000000000000000000001";
const CHANNEL_NAME: &str = "General";
const MESSAGE: &str = "e50000000000000000000001";
const ORDER: &str = "b00000000000000000000001";
const PRODUCT: &str = "b10000000000000000000001";
const ANALYSIS: &str = "ab0000000000000000000001";
const EMOJI: &str = "🎉";

/// The `event_id` of a new sample, a UUID.
#[must_use]
pub fn event_id(kind: EventKind) -> String {
    let event = Event {
        id: EventId::generate().to_string(),
        ..Event::default()
    };
    payload::event_id(&event, kind)
}

/// The body of a sample, as of an event at `time` in a community, which comes with its name.
///
/// # Errors
/// A bug: only when JSON cannot be written.
pub fn body(
    kind: EventKind,
    event_id: &str,
    time: Timestamp,
    community: (CommunityId, &str),
) -> Result<String> {
    let user = payload::person(&user()?, kind);
    payload::written(kind, event_id, time, community, user, added(kind, time))
}

fn user() -> Result<User> {
    Ok(User {
        id: USER.parse().map_err(Error::internal)?,
        number: 1201,
        username: "ann".into(),
        email: "ann@example.com".into(),
        display_name: "Ann".into(),
        first_name: "Ann".into(),
        avatar: String::new(),
        role: Role::Member,
        active: true,
        bot: false,
    })
}

/// What a kind adds to the common fields.
fn added(kind: EventKind, time: Timestamp) -> Value {
    let (told, at) = (|payload| payload::details(&payload, time), time.to_iso());
    match kind {
        EventKind::UserJoinedCommunity => told(Payload::MemberJoined(MemberJoined::default())),
        EventKind::MessagePosted
        | EventKind::ChannelMessagePosted
        | EventKind::MessageEdited
        | EventKind::MessageDeleted => told(Payload::MessagePosted(message())),
        EventKind::ReactionAdded => told(Payload::ReactionAdded(reaction())),
        EventKind::ReactionRemoved => told(Payload::ReactionRemoved(removed(reaction()))),
        EventKind::UserVisitedCommunity => {
            json!({ "visited_at": at, "is_first_visit_of_day": true })
        }
        EventKind::StoreItemPurchased => purchase(&at),
        EventKind::CreateAnalysis => json!({ "analysis": analysis(&at) }),
        EventKind::UpdateAnalysis => {
            json!({ "analysis": analysis(&at), "updated_fields": ["title"] })
        }
        EventKind::DeleteAnalysis => json!({ "analysis_id": ANALYSIS }),
        EventKind::RedemptionStatusUpdated => json!({
            "order": order(&at),
            "from": status("ab0000000000000000000011", "Pending", "incomplete"),
            "to": status("ab0000000000000000000012", "Completed", "complete"),
        }),
    }
}

fn message() -> MessagePosted {
    MessagePosted {
        message_id: MESSAGE.into(),
        channel_id: CHANNEL.into(),
        channel_name: CHANNEL_NAME.into(),
        channel_type: ChannelType::Open.into(),
        text: "Hello everyone".into(),
        ..MessagePosted::default()
    }
}

fn reaction() -> ReactionAdded {
    ReactionAdded {
        message_id: MESSAGE.into(),
        channel_id: CHANNEL.into(),
        channel_name: CHANNEL_NAME.into(),
        channel_type: ChannelType::Open.into(),
        emoji: EMOJI.into(),
    }
}

fn removed(reaction: ReactionAdded) -> ReactionRemoved {
    ReactionRemoved {
        message_id: reaction.message_id,
        channel_id: reaction.channel_id,
        channel_name: reaction.channel_name,
        channel_type: reaction.channel_type,
        emoji: reaction.emoji,
    }
}

fn order(at: &str) -> Value {
    json!({ "order_id": ORDER, "status": "Pending", "purchased_at": at })
}

fn purchase(at: &str) -> Value {
    json!({
        "order": order(at),
        "item": {
            "product_id": PRODUCT, "name": "Mug", "category": "Merchandise", "quantity": 1
        },
        "price": { "amount": 500, "currency": "coins", "balance_after": 1200 },
        "redemption": { "instructions": null, "voucher_code": null },
    })
}

fn status(id: &str, name: &str, category: &str) -> Value {
    json!({ "_id": id, "name": name, "category": category, "color": "#3EA1FD" })
}

fn analysis(at: &str) -> Value {
    json!({
        "analysisId": ANALYSIS, "title": "Weekly outlook", "symbol": "EURUSD", "timeframe": "1D",
        "direction": "buy", "status": "active", "channelId": CHANNEL, "levels": [],
        "drawings": [], "metadata": {}, "createdAt": at, "updatedAt": at,
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::Iterable;
    use serde_json::Map;

    use super::*;

    #[test]
    fn every_kind_has_a_sample_with_what_it_adds() {
        let (community, now) = (CommunityId::generate(), Timestamp::now());
        for kind in EventKind::iter() {
            let id = event_id(kind);
            let body = body(kind, &id, now, (community, "Club")).unwrap();
            let body: Map<String, Value> = serde_json::from_str(&body).unwrap();
            assert_eq!(body["event"], kind.name());
            assert_eq!(body["event_id"], json!(id));
            assert_eq!(body["community"]["name"], "Club");
            assert_eq!(body["user"]["username"], "ann");
            assert!(body.len() > 5, "{} adds nothing", kind.name());
        }
    }
}
