//! Reactions of the Sendbird facade (contract: sendbird, "1. Reactions").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{
    AddReactionRequest, ListReactionsRequest, Reaction, RemoveReactionRequest,
};
use guildhall_runtime::{Error, Reason, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{ChannelType, FIELDS, MessagePath, Place, access, member, resource::reaction_key};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::Family,
    extract::{Input, Query, Segments},
    failure::Result,
    upstream::Services,
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoint = |id, title, handler| {
        Endpoint::new(id, title, Family::Sendbird, access(), handler).naming(FIELDS)
    };
    vec![
        endpoint("sb-reactions-add", "Add a reaction", routes!(add))
            .calls("/guildhall.messaging.v1.ReactionService/AddReaction")
            .refusing(&[
                Reason::MessageNotFound,
                Reason::UserNotFound,
                Reason::TooManyReactions,
            ]),
        endpoint("sb-reactions-remove", "Remove a reaction", routes!(remove))
            .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction")
            .refusing(&[Reason::MessageNotFound, Reason::UserNotFound]),
        endpoint("sb-reactions-list", "List reactions", routes!(list))
            .calls("/guildhall.messaging.v1.ReactionService/ListReactions")
            .refusing(&[Reason::MessageNotFound]),
    ]
}

/// The channel and the message, which must stand in a group channel.
fn target(path: MessagePath) -> Result<(Place, i64)> {
    let (place, number) = path.parse()?;
    match place.channel_type {
        ChannelType::GroupChannels => Ok((place, number)),
        ChannelType::OpenChannels => {
            let message = "channel_type must be group_channels for reactions";
            Err(Error::invalid("channel_type", message).into())
        }
    }
}

/// Whose reaction, and which.
#[derive(Debug, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[schema(as = SendbirdNewReaction)]
struct ReactionBody {
    /// The member's username.
    user_id: String,
    /// The reaction's key, at most 192 characters: a shortcode or an emoji.
    reaction: String,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdReactionEvent)]
struct ReactionEvent {
    user_id: String,
    /// `ADD` or `DELETE`.
    #[schema(value_type = String)]
    operation: &'static str,
    /// False when it changed nothing.
    success: bool,
    /// The key as it was sent.
    reaction: String,
    msg_id: i64,
    /// Unix milliseconds; only when `success` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
}

fn changed_at(changed: bool, at: Option<prost_types::Timestamp>) -> Option<i64> {
    at.filter(|_| changed)
        .map(|at| Timestamp::from(at).as_millis())
}

/// Adds a reaction of a member to a message.
#[utoipa::path(
    post,
    path = "/v3/{channel_type}/{channel_url}/messages/{message_id}/reactions",
    tag = "Sendbird: reactions",
    params(
        ("channel_type" = String, Path, description = "`group_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
        ("message_id" = i64, Path),
    ),
    request_body(content = ReactionBody, example = json!({ "user_id": "Jessie", "reaction": "celebrate" })),
    responses((status = 200, description = "What became of it", body = ReactionEvent, example = json!({
        "user_id": "Jessie", "operation": "ADD", "success": true, "reaction": "celebrate",
        "msg_id": 711_389_299, "updated_at": 1_577_327_594_231_i64
    })))
)]
async fn add(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Input(body): Input<ReactionBody>,
) -> Result<(Replayed, Json<ReactionEvent>)> {
    let (place, msg_id) = target(path)?;
    let request = call.request(AddReactionRequest {
        message: place.message(msg_id),
        emoji: body.reaction.clone(),
        sender: member(&body.user_id),
    });
    let answer = services.reactions().add_reaction(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let event = ReactionEvent {
        user_id: body.user_id,
        operation: "ADD",
        success: answer.added,
        reaction: body.reaction,
        msg_id,
        updated_at: changed_at(answer.added, answer.update_time),
    };
    Ok((replayed, Json(event)))
}

/// Removes a reaction of a member from a message.
#[utoipa::path(
    delete,
    path = "/v3/{channel_type}/{channel_url}/messages/{message_id}/reactions",
    tag = "Sendbird: reactions",
    params(
        ("channel_type" = String, Path, description = "`group_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
        ("message_id" = i64, Path),
        ReactionBody,
    ),
    responses((status = 200, description = "What became of it", body = ReactionEvent, example = json!({
        "user_id": "Jessie", "operation": "DELETE", "success": true, "reaction": "celebrate",
        "msg_id": 711_389_299, "updated_at": 1_577_327_594_231_i64
    })))
)]
async fn remove(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(asked): Query<ReactionBody>,
) -> Result<Json<ReactionEvent>> {
    let (place, msg_id) = target(path)?;
    let request = call.request(RemoveReactionRequest {
        message: place.message(msg_id),
        emoji: asked.reaction.clone(),
        sender: member(&asked.user_id),
    });
    let answer = services
        .reactions()
        .remove_reaction(request)
        .await?
        .into_inner();
    Ok(Json(ReactionEvent {
        user_id: asked.user_id,
        operation: "DELETE",
        success: answer.removed,
        reaction: asked.reaction,
        msg_id,
        updated_at: changed_at(answer.removed, answer.update_time),
    }))
}

/// How to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whether to name the members, at most 100 for each key, instead of counting them.
    list_users: Option<bool>,
}

/// The reactions of a message: by key, how many members reacted, or who.
#[utoipa::path(
    get,
    path = "/v3/{channel_type}/{channel_url}/messages/{message_id}/reactions",
    tag = "Sendbird: reactions",
    params(
        ("channel_type" = String, Path, description = "`group_channels`"),
        ("channel_url" = String, Path, description = "The channel's url or id"),
        ("message_id" = i64, Path),
        ListQuery,
    ),
    responses((status = 200, description = "The reactions", body = Object, examples(
        ("counted" = (summary = "list_users=false", value = json!({ "smile": 2, "party": 1 }))),
        ("named" = (summary = "list_users=true", value = json!({
            "smile": ["ann", "bob"], "party": ["cy"]
        })))
    )))
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Map<String, Value>>> {
    let (place, msg_id) = target(path)?;
    let include_users = query.list_users.unwrap_or(false);
    let request = call.request(ListReactionsRequest {
        message: place.message(msg_id),
        include_users,
    });
    let answer = services.reactions().list_reactions(request).await?;
    let reactions = answer.into_inner().reactions.into_iter();
    let entries =
        reactions.map(|reaction| (reaction_key(&reaction), shown(reaction, include_users)));
    Ok(Json(entries.collect()))
}

fn shown(reaction: Reaction, with_users: bool) -> Value {
    if with_users {
        reaction
            .users
            .into_iter()
            .map(|user| user.username)
            .collect()
    } else {
        reaction.count.into()
    }
}
