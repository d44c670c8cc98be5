//! Reactions of the Sendbird facade (contract: sendbird, "1. Reactions").

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{
    AddReactionRequest, ListReactionsRequest, Reaction, RemoveReactionRequest,
};
use guildhall_runtime::{Error, Reason, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ChannelRef, ChannelType, FIELDS, MessagePath, member, reaction_parameters,
    resource::reaction_key,
};
use crate::{
    call::{Call, Replayed},
    document::Media,
    endpoint::Endpoint,
    extract::{Input, Query, Segments},
    failure::Result,
    sample,
    schema::ReactionKey,
    upstream::{Reactions, Services},
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoints = vec![
        Endpoint::taking("sb-reactions-add", add, ReactionBody::example, || {
            event("ADD")
        })
        .about("Adds a reaction of a member to a message.")
        .calls("/guildhall.messaging.v1.ReactionService/AddReaction")
        .refusing(&[
            Reason::MessageNotFound,
            Reason::UserNotFound,
            Reason::TooManyReactions,
        ]),
        Endpoint::new("sb-reactions-remove", remove, || event("DELETE"))
            .about("Removes a reaction of a member from a message.")
            .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction")
            .refusing(&[Reason::MessageNotFound, Reason::UserNotFound]),
        Endpoint::new("sb-reactions-list", list, || {
            by_key(vec![sample::reaction()], false)
        })
        .about("The reactions of a message: by key, how many members reacted, or who.")
        .answering(
            200,
            "list_users=true",
            Media::of_answer(|| by_key(vec![sample::reaction()], true)),
        )
        .calls("/guildhall.messaging.v1.ReactionService/ListReactions")
        .refusing(&[Reason::MessageNotFound]),
    ];
    let named = endpoints
        .into_iter()
        .map(|endpoint| endpoint.naming(FIELDS).parameters(reaction_parameters));
    named.collect()
}

fn event(operation: &'static str) -> ReactionEvent {
    ReactionEvent {
        user_id: "ann".into(),
        operation,
        success: true,
        reaction: "tada".into(),
        msg_id: 711,
        updated_at: Some(1_767_323_045_678),
    }
}

/// The channel and the message, which must be in a group channel.
fn target(path: MessagePath) -> Result<(ChannelRef, i64)> {
    let (channel, number) = path.parse()?;
    match channel.channel_type {
        ChannelType::GroupChannels => Ok((channel, number)),
        ChannelType::OpenChannels => {
            let message = "channel_type must be group_channels for reactions";
            Err(Error::invalid("channel_type", message).into())
        }
    }
}

/// Whose reaction, and which.
#[derive(Debug, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[schema(as = SendbirdNewReaction)]
struct ReactionBody {
    /// The member's username.
    #[schema(min_length = 1, max_length = 311, pattern = r"^[^\x00]*$")]
    #[param(min_length = 1, max_length = 311, pattern = r"^[^\x00]*$")]
    user_id: String,
    /// The reaction's key: a shortcode or an emoji.
    #[schema(value_type = ReactionKey)]
    #[param(value_type = ReactionKey, inline)]
    reaction: String,
}

impl ReactionBody {
    fn example() -> Self {
        Self {
            user_id: "ann".into(),
            reaction: "tada".into(),
        }
    }
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
    /// The key under which the reaction is listed.
    reaction: String,
    msg_id: i64,
    /// Unix milliseconds; only when `success` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
}

impl ReactionEvent {
    /// What became of the reaction of one member: when it changed, or that it did not.
    fn new(
        operation: &'static str,
        asked: ReactionBody,
        reaction: Option<Reaction>,
        msg_id: i64,
        at: Option<prost_types::Timestamp>,
    ) -> Self {
        // While an upgrade is under way, a service may not say what was meant.
        let key = reaction.as_ref().map(reaction_key);
        let member = reaction.and_then(|mut reaction| reaction.users.pop());
        Self {
            user_id: member.map_or(asked.user_id, |member| member.username),
            operation,
            success: at.is_some(),
            reaction: key.unwrap_or(asked.reaction),
            msg_id,
            updated_at: at.map(|at| Timestamp::from(at).as_millis()),
        }
    }
}

async fn add(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Input(body): Input<ReactionBody>,
) -> Result<(Replayed, Json<ReactionEvent>)> {
    let (channel, msg_id) = target(path)?;
    let channel = channel.find(&services, &call).await?;
    let request = call.request(AddReactionRequest {
        message: channel.message(msg_id),
        emoji: body.reaction.clone(),
        sender: member(&body.user_id),
    });
    let answer = services.client::<Reactions>().add_reaction(request).await?;
    let replayed = Replayed::of(&answer);
    let answer = answer.into_inner();
    let at = answer.update_time.filter(|_| answer.added);
    let event = ReactionEvent::new("ADD", body, answer.reaction, msg_id, at);
    Ok((replayed, Json(event)))
}

async fn remove(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(asked): Query<ReactionBody>,
) -> Result<Json<ReactionEvent>> {
    let (channel, msg_id) = target(path)?;
    let channel = channel.find(&services, &call).await?;
    let request = call.request(RemoveReactionRequest {
        message: channel.message(msg_id),
        emoji: asked.reaction.clone(),
        sender: member(&asked.user_id),
    });
    let answer = services
        .client::<Reactions>()
        .remove_reaction(request)
        .await?
        .into_inner();
    let at = answer.update_time.filter(|_| answer.removed);
    let event = ReactionEvent::new("DELETE", asked, answer.reaction, msg_id, at);
    Ok(Json(event))
}

/// How to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Whether to name the members, at most 100 for each key, instead of counting them.
    list_users: Option<bool>,
}

async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<MessagePath>,
    Query(query): Query<ListQuery>,
) -> Result<Json<ReactionsByKey>> {
    let (channel, msg_id) = target(path)?;
    let channel = channel.find(&services, &call).await?;
    let include_users = query.list_users.unwrap_or(false);
    let request = call.request(ListReactionsRequest {
        message: channel.message(msg_id),
        include_users,
    });
    let answer = services
        .client::<Reactions>()
        .list_reactions(request)
        .await?;
    Ok(Json(by_key(answer.into_inner().reactions, include_users)))
}

/// Reactions by their key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendbirdReactions)]
struct ReactionsByKey(BTreeMap<String, CountOrUsers>);

/// How many members reacted, or who.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SendbirdCountOrUsers)]
enum CountOrUsers {
    Count(i64),
    Users(Vec<String>),
}

fn by_key(reactions: Vec<Reaction>, with_users: bool) -> ReactionsByKey {
    let shown = |reaction: Reaction| {
        if with_users {
            let users = reaction.users.into_iter();
            CountOrUsers::Users(users.map(|user| user.username).collect())
        } else {
            CountOrUsers::Count(reaction.count)
        }
    };
    let reactions = reactions.into_iter();
    let entries = reactions.map(|reaction| (reaction_key(&reaction), shown(reaction)));
    ReactionsByKey(entries.collect())
}
