//! Reactions of the Mudbase facade (contract: mudbase, "3. Reactions").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{AddReactionRequest, Reaction, RemoveReactionRequest};
use guildhall_runtime::{Error, Reason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{FIELDS, MessagePath, access};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::{Family, mudbase::Mudbase},
    extract::{Input, Segments},
    failure::Result,
    upstream::Services,
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoint = |id, title, handler| {
        Endpoint::new(id, title, Family::Mudbase, access(), handler)
            .naming(FIELDS)
            .refusing(&[Reason::MessageNotFound])
    };
    vec![
        endpoint("mb-reactions-add", "Add reaction to message", routes!(add))
            .calls("/guildhall.messaging.v1.ReactionService/AddReaction"),
        endpoint(
            "mb-reactions-remove",
            "Remove reaction from message",
            routes!(remove),
        )
        .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction"),
    ]
}

/// Which reaction.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MudbaseEmoji)]
struct EmojiBody {
    emoji: String,
}

/// The reactions with one emoji.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MudbaseReaction)]
struct ReactionEntry {
    emoji: String,
    count: i64,
    /// Ids of the members, at most 100, first come first.
    users: Vec<String>,
}

impl From<Reaction> for ReactionEntry {
    fn from(reaction: Reaction) -> Self {
        Self {
            emoji: reaction.emoji,
            count: reaction.count,
            users: reaction
                .users
                .into_iter()
                .map(|user| user.user_id)
                .collect(),
        }
    }
}

fn all(reactions: Vec<Reaction>) -> Json<Mudbase<Vec<ReactionEntry>>> {
    Json(Mudbase::new(
        reactions.into_iter().map(Into::into).collect(),
    ))
}

/// Adds a reaction of the caller and answers all reactions of the message. The same again changes
/// nothing.
#[utoipa::path(
    post,
    path = "/api/chat/projects/{projectId}/chats/{chatId}/messages/{messageId}/reactions",
    tag = "Mudbase: chat",
    params(
        ("projectId" = String, Path, description = "The community's id or slug"),
        ("chatId" = String, Path, description = "The channel's id"),
        ("messageId" = String, Path, description = "24 hexadecimal characters"),
    ),
    request_body(content = EmojiBody, example = json!({ "emoji": "👍" })),
    responses((status = 200, description = "All reactions", body = Mudbase<Vec<ReactionEntry>>, example = json!({
        "success": true,
        "data": [{ "emoji": "👍", "count": 1, "users": ["a00000000000000000000001"] }]
    })))
)]
async fn add(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Input(body): Input<EmojiBody>,
) -> Result<(Replayed, Json<Mudbase<Vec<ReactionEntry>>>)> {
    let request = call.request(AddReactionRequest {
        message: path.message(&services, &call).await?,
        emoji: body.emoji,
        sender: String::new(),
    });
    let answer = services.reactions().add_reaction(request).await?;
    Ok((Replayed::of(&answer), all(answer.into_inner().reactions)))
}

/// Removes a reaction that the caller added and answers those that stay.
#[utoipa::path(
    delete,
    path = "/api/chat/projects/{projectId}/chats/{chatId}/messages/{messageId}/reactions",
    tag = "Mudbase: chat",
    params(
        ("projectId" = String, Path, description = "The community's id or slug"),
        ("chatId" = String, Path, description = "The channel's id"),
        ("messageId" = String, Path, description = "24 hexadecimal characters"),
    ),
    request_body(content = EmojiBody, example = json!({ "emoji": "👍" })),
    responses((status = 200, description = "The other reactions", body = Mudbase<Vec<ReactionEntry>>, example = json!({
        "success": true,
        "data": [{ "emoji": "👍", "count": 2, "users": ["a00000000000000000000001", "a00000000000000000000002"] }]
    })))
)]
async fn remove(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Input(body): Input<EmojiBody>,
) -> Result<Json<Mudbase<Vec<ReactionEntry>>>> {
    let request = call.request(RemoveReactionRequest {
        message: path.message(&services, &call).await?,
        emoji: body.emoji,
        sender: String::new(),
    });
    let answer = services
        .reactions()
        .remove_reaction(request)
        .await?
        .into_inner();
    if !answer.removed {
        return Err(Error::invalid("emoji", "You have not added this reaction").into());
    }
    Ok(all(answer.reactions))
}
