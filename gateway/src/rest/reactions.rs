//! Reactions (contract: messaging, "messages-react", "reactions-…").

use axum::{Json, extract::State};
use guildhall_auth::Permission;
use guildhall_proto::messaging::v1::{
    AddReactionRequest, ListReactionsRequest, Reaction, RemoveReactionRequest,
};
use guildhall_runtime::{Error, Reason};
use guildhall_types::MessageId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::message_item::{MessageUser, by_id};
use crate::{
    call::{Call, Replayed},
    endpoint::{Endpoint, bearer_keys},
    envelope::{
        Family,
        integration::{Acknowledgement, Integration},
    },
    extract::{Input, Query, Segments, id},
    failure::Result,
    upstream::Services,
};

/// The longest emoji, in characters (contract: messaging, "messages-react").
const MAX_EMOJI: usize = 64;

pub fn endpoints() -> Vec<Endpoint> {
    use Family::Integration;
    const WRITE: &[Reason] = &[
        Reason::MessageNotFound,
        Reason::UserNotFound,
        Reason::SenderNotAllowed,
        Reason::ChannelNotAllowed,
    ];
    vec![
        Endpoint::new(
            "messages-react",
            "React Message",
            Integration,
            bearer_keys(Permission::ReplyMessage),
            routes!(react),
        )
        .calls("/guildhall.messaging.v1.ReactionService/AddReaction")
        .refusing(WRITE),
        Endpoint::new(
            "reactions-list",
            "List reactions of a message",
            Integration,
            bearer_keys(Permission::GetMessages),
            routes!(list),
        )
        .calls("/guildhall.messaging.v1.ReactionService/ListReactions")
        .refusing(&[Reason::MessageNotFound, Reason::ChannelNotAllowed]),
        Endpoint::new(
            "reactions-remove",
            "Remove reaction",
            Integration,
            bearer_keys(Permission::ReplyMessage),
            routes!(remove),
        )
        .alias_handled_by(routes!(unreact))
        .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction")
        .refusing(WRITE),
    ]
}

/// A reaction to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewReaction {
    #[serde(alias = "message_id")]
    message_id: String,
    /// A shortcode such as `:sparkling_heart:`, or the character; 1 to 64 characters.
    emoji: String,
    /// Username, e-mail address, id or number of who reacts. User keys react as their owner.
    sender: Option<String>,
}

/// Adds a reaction as a member. The same again changes nothing.
#[utoipa::path(
    post,
    path = "/messages/react",
    tag = "Messaging",
    request_body(content = NewReaction, example = json!({
        "messageId": "e50000000000000000000002", "emoji": ":sparkling_heart:", "sender": "johndoe"
    })),
    responses((status = 200, description = "Added", body = Acknowledgement, example = json!({
        "status": "success", "message": "Message reacted successfully"
    })))
)]
async fn react(
    State(services): State<Services>,
    call: Call,
    Input(new): Input<NewReaction>,
) -> Result<(Replayed, Json<Acknowledgement>)> {
    let request = call.request(AddReactionRequest {
        message: by_id(id::<MessageId>("messageId", &new.message_id)?),
        emoji: within_limit(new.emoji)?,
        sender: new.sender.unwrap_or_default(),
    });
    let answer = services.reactions().add_reaction(request).await?;
    let done = Acknowledgement::new("Message reacted successfully");
    Ok((Replayed::of(&answer), Json(done)))
}

fn within_limit(emoji: String) -> Result<String> {
    if emoji.chars().count() > MAX_EMOJI {
        let message = format!("emoji must be 1 to {MAX_EMOJI} characters");
        return Err(Error::violation(Reason::ValueTooLong, "emoji", message).into());
    }
    Ok(emoji)
}

/// How to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whether to name the members, at most 100 for each emoji.
    #[serde(alias = "listUsers")]
    list_users: Option<bool>,
}

/// The reactions of a message.
#[derive(Debug, Serialize, ToSchema)]
struct ReactionList {
    /// The number of different emojis.
    total: usize,
    reactions: Vec<ReactionItem>,
}

/// The reactions with one emoji.
#[derive(Debug, Serialize, ToSchema)]
struct ReactionItem {
    emoji: String,
    /// Null where none is known.
    shortcode: Option<String>,
    count: i64,
    /// With `list_users` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<MessageUser>>,
}

impl ReactionItem {
    fn new(reaction: Reaction, with_users: bool) -> Self {
        let users = reaction.users.into_iter().map(|author| MessageUser {
            user_id: author.number.to_string(),
            email: author.email,
        });
        Self {
            emoji: reaction.emoji,
            shortcode: Some(reaction.shortcode).filter(|code| !code.is_empty()),
            count: reaction.count,
            users: with_users.then(|| users.collect()),
        }
    }
}

/// The reactions of a message, in the order of their first use.
#[utoipa::path(
    get,
    path = "/messages/{messageId}/reactions",
    tag = "Messaging",
    params(
        ("messageId" = String, Path, description = "24 hexadecimal characters"),
        ListQuery,
    ),
    responses((status = 200, description = "The reactions", body = Integration<ReactionList>, example = json!({
        "status": "success",
        "message": "reactions fetched successfully",
        "data": {
            "total": 1,
            "reactions": [{
                "emoji": "🎉", "shortcode": "tada", "count": 1,
                "users": [{ "user_id": "1201", "email": "ann@example.com" }]
            }]
        }
    })))
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(message_id): Segments<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Integration<ReactionList>>> {
    let include_users = query.list_users.unwrap_or(false);
    let request = call.request(ListReactionsRequest {
        message: by_id(id::<MessageId>("messageId", &message_id)?),
        include_users,
    });
    let answer = services.reactions().list_reactions(request).await?;
    let reactions = answer.into_inner().reactions.into_iter();
    let reactions: Vec<_> = reactions
        .map(|reaction| ReactionItem::new(reaction, include_users))
        .collect();
    let list = ReactionList {
        total: reactions.len(),
        reactions,
    };
    Ok(Json(Integration::new(
        "reactions fetched successfully",
        list,
    )))
}

/// Which reaction to remove; each field in the query or in the JSON body.
#[derive(Debug, Default, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ReactionRemoval {
    /// As in React Message.
    emoji: Option<String>,
    /// As in React Message.
    sender: Option<String>,
}

/// The same, with the message.
#[derive(Debug, Default, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct MessageReactionRemoval {
    #[serde(alias = "message_id")]
    message_id: Option<String>,
    /// As in React Message.
    emoji: Option<String>,
    /// As in React Message.
    sender: Option<String>,
}

impl MessageReactionRemoval {
    /// What the query leaves out stands in the body.
    fn or(self, body: Self) -> Result<RemoveReactionRequest> {
        let message_id = self.message_id.or(body.message_id);
        let message_id = message_id.ok_or_else(|| Error::missing("messageId"))?;
        let emoji = self
            .emoji
            .or(body.emoji)
            .ok_or_else(|| Error::missing("emoji"))?;
        Ok(RemoveReactionRequest {
            message: by_id(id::<MessageId>("messageId", &message_id)?),
            emoji: within_limit(emoji)?,
            sender: self.sender.or(body.sender).unwrap_or_default(),
        })
    }
}

impl ReactionRemoval {
    fn of(self, message_id: Option<String>) -> MessageReactionRemoval {
        MessageReactionRemoval {
            message_id,
            emoji: self.emoji,
            sender: self.sender,
        }
    }
}

/// Removes a reaction. What is not there is not found.
#[utoipa::path(
    delete,
    path = "/messages/{messageId}/reactions",
    tag = "Messaging",
    params(
        ("messageId" = String, Path, description = "24 hexadecimal characters"),
        ReactionRemoval,
    ),
    request_body(content = ReactionRemoval, example = json!({ "emoji": "🎉", "sender": "johndoe" })),
    responses((status = 200, description = "Removed", body = Acknowledgement, example = json!({
        "status": "success", "message": "Reaction removed successfully"
    })))
)]
async fn remove(
    State(services): State<Services>,
    call: Call,
    Segments(message_id): Segments<String>,
    Query(query): Query<ReactionRemoval>,
    Input(body): Input<ReactionRemoval>,
) -> Result<Json<Acknowledgement>> {
    let request = query.of(Some(message_id)).or(body.of(None))?;
    take_away(&services, &call, request).await
}

/// Removes a reaction: the mirror of React Message.
#[utoipa::path(
    delete,
    path = "/messages/react",
    tag = "Messaging",
    params(MessageReactionRemoval),
    request_body(content = MessageReactionRemoval, example = json!({
        "messageId": "e50000000000000000000002", "emoji": "🎉", "sender": "johndoe"
    })),
    responses((status = 200, description = "Removed", body = Acknowledgement, example = json!({
        "status": "success", "message": "Reaction removed successfully"
    })))
)]
async fn unreact(
    State(services): State<Services>,
    call: Call,
    Query(query): Query<MessageReactionRemoval>,
    Input(body): Input<MessageReactionRemoval>,
) -> Result<Json<Acknowledgement>> {
    take_away(&services, &call, query.or(body)?).await
}

async fn take_away(
    services: &Services,
    call: &Call,
    request: RemoveReactionRequest,
) -> Result<Json<Acknowledgement>> {
    let answer = services
        .reactions()
        .remove_reaction(call.request(request))
        .await?;
    if !answer.into_inner().removed {
        return Err(Error::new(Reason::MessageNotFound, "Reaction not found").into());
    }
    Ok(Json(Acknowledgement::new("Reaction removed successfully")))
}
