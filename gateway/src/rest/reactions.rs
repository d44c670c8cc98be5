//! Reactions (contract: messaging, "messages-react", "reactions-…").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{
    AddReactionRequest, ListReactionsRequest, Reaction, RemoveReactionRequest,
};
use guildhall_runtime::{Error, Reason};
use guildhall_types::{MessageId, id};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    message_item::{MessageUser, by_id},
    messages::MEMBERS,
};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::integration::{Acknowledgement, Integration},
    extract::{Input, Query, Segments, one_value},
    failure::Result,
    sample,
    schema::{Emoji, ObjectId, UserReference},
    upstream::Reactions,
};

/// The longest emoji, in characters (contract: messaging, "messages-react").
const MAX_EMOJI: usize = 64;

pub fn endpoints() -> Vec<Endpoint> {
    const WRITE: &[Reason] = &[
        Reason::MessageNotFound,
        Reason::UserNotFound,
        Reason::SenderNotAllowed,
        Reason::ChannelNotAllowed,
    ];
    vec![
        Endpoint::taking("messages-react", react, NewReaction::example, reacted)
            .about("Adds a reaction as a member. The same again changes nothing.")
            .without(MEMBERS)
            .calls("/guildhall.messaging.v1.ReactionService/AddReaction")
            .refusing(WRITE),
        Endpoint::new("reactions-list", list, || {
            listed(vec![sample::reaction()], true)
        })
        .about("The reactions of a message, in the order of their first use.")
        .without(MEMBERS)
        .calls("/guildhall.messaging.v1.ReactionService/ListReactions")
        .refusing(&[Reason::MessageNotFound, Reason::ChannelNotAllowed]),
        Endpoint::taking(
            "reactions-remove",
            remove,
            ReactionRemoval::example,
            removed,
        )
        .about(
            "Removes a reaction: at the path of a message, or as the mirror of React Message. Each \
                 field may be in the query or in the body. What is not there is not found.",
        )
        .without(MEMBERS)
        .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction")
        .refusing(WRITE),
    ]
}

fn reacted() -> Acknowledgement {
    Acknowledgement::new("Message reacted successfully")
}

fn removed() -> Acknowledgement {
    Acknowledgement::new("Reaction removed successfully")
}

fn listed(reactions: Vec<Reaction>, with_users: bool) -> Integration<ReactionList> {
    let reactions = reactions.into_iter();
    let reactions: Vec<_> = reactions
        .map(|reaction| ReactionItem::new(reaction, with_users))
        .collect();
    let list = ReactionList {
        total: reactions.len(),
        reactions,
    };
    Integration::new("reactions fetched successfully", list)
}

/// A reaction to add.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewReaction {
    #[schema(value_type = ObjectId)]
    message_id: String,
    #[schema(value_type = Emoji)]
    emoji: String,
    /// Who reacts. User keys react as their owner.
    #[schema(value_type = Option<UserReference>)]
    sender: Option<String>,
}

impl NewReaction {
    fn example() -> Self {
        Self {
            message_id: sample::MESSAGE_ID.into(),
            emoji: ":sparkling_heart:".into(),
            sender: Some("ann".into()),
        }
    }
}

async fn react(
    State(mut reactions): State<Reactions>,
    call: Call,
    Input(new): Input<NewReaction>,
) -> Result<(Replayed, Json<Acknowledgement>)> {
    let request = call.request(AddReactionRequest {
        message: by_id(id::parse::<MessageId>("messageId", &new.message_id)?),
        emoji: within_limit(new.emoji)?,
        sender: new.sender.unwrap_or_default(),
    });
    let answer = reactions.add_reaction(request).await?;
    Ok((Replayed::of(&answer), Json(reacted())))
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

async fn list(
    State(mut reactions): State<Reactions>,
    call: Call,
    Segments(message_id): Segments<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Integration<ReactionList>>> {
    let include_users = query.list_users.unwrap_or(false);
    let request = call.request(ListReactionsRequest {
        message: by_id(id::parse::<MessageId>("messageId", &message_id)?),
        include_users,
    });
    let answer = reactions.list_reactions(request).await?;
    Ok(Json(listed(answer.into_inner().reactions, include_users)))
}

/// Which reaction to remove.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ReactionRemoval {
    /// The message, where the path does not name it.
    #[schema(value_type = Option<ObjectId>)]
    #[param(value_type = Option<ObjectId>, inline)]
    message_id: Option<String>,
    /// As in React Message.
    #[schema(value_type = Option<Emoji>)]
    #[param(value_type = Option<Emoji>, inline)]
    emoji: Option<String>,
    /// As in React Message.
    #[schema(value_type = Option<UserReference>)]
    #[param(value_type = Option<UserReference>, inline)]
    sender: Option<String>,
}

impl ReactionRemoval {
    fn example() -> Self {
        Self {
            message_id: Some(sample::MESSAGE_ID.into()),
            emoji: Some("🎉".into()),
            sender: Some("ann".into()),
        }
    }

    /// What the query leaves out is in the body; neither contradicts the other.
    fn or(self, body: Self) -> Result<Self> {
        Ok(Self {
            message_id: one_value("messageId", self.message_id, body.message_id)?,
            emoji: one_value("emoji", self.emoji, body.emoji)?,
            sender: one_value("sender", self.sender, body.sender)?,
        })
    }

    fn request(self) -> Result<RemoveReactionRequest> {
        let message_id = self.message_id.ok_or_else(|| Error::missing("messageId"))?;
        let emoji = self.emoji.ok_or_else(|| Error::missing("emoji"))?;
        Ok(RemoveReactionRequest {
            message: by_id(id::parse::<MessageId>("messageId", &message_id)?),
            emoji: within_limit(emoji)?,
            sender: self.sender.unwrap_or_default(),
        })
    }
}

/// The message, at the one of the two paths that names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemovalPath {
    message_id: Option<String>,
}

async fn remove(
    State(mut reactions): State<Reactions>,
    call: Call,
    Segments(path): Segments<RemovalPath>,
    Query(query): Query<ReactionRemoval>,
    Input(body): Input<ReactionRemoval>,
) -> Result<Json<Acknowledgement>> {
    let named = ReactionRemoval {
        message_id: path.message_id,
        ..ReactionRemoval::default()
    };
    let asked = named.or(query)?.or(body)?;
    let request = call.request(asked.request()?);
    let answer = reactions.remove_reaction(request).await?;
    if !answer.into_inner().removed {
        return Err(Error::new(Reason::MessageNotFound, "Reaction not found").into());
    }
    Ok(Json(removed()))
}
