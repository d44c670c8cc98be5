//! Reactions of the Mudbase facade (contract: mudbase, "3. Reactions").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{AddReactionRequest, Reaction, RemoveReactionRequest};
use guildhall_runtime::{Error, Reason};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FIELDS, MessagePath, parameters};
use crate::{
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::mudbase::Mudbase,
    extract::{Input, Segments},
    failure::Result,
    sample,
    schema::{ObjectId, ReactionKey},
    upstream::{Reactions, Services},
};

pub fn endpoints() -> Vec<Endpoint> {
    let endpoints = vec![
        Endpoint::taking("mb-reactions-add", add, EmojiBody::example, || all(vec![sample::reaction()]))
            .about(
                "Adds a reaction of the caller and answers all reactions of the message. The same again \
                 changes nothing.",
            )
            .calls("/guildhall.messaging.v1.ReactionService/AddReaction"),
        Endpoint::taking("mb-reactions-remove", remove, EmojiBody::example, || {
            all(vec![sample::reaction()])
        })
        .about("Removes a reaction that the caller added and answers those that stay.")
        .calls("/guildhall.messaging.v1.ReactionService/RemoveReaction"),
    ];
    let refusing = |endpoint: Endpoint| {
        endpoint
            .naming(FIELDS)
            .parameters(parameters)
            .refusing(&[Reason::CommunityNotFound, Reason::MessageNotFound])
    };
    endpoints.into_iter().map(refusing).collect()
}

/// Which reaction.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = MudbaseEmoji)]
struct EmojiBody {
    #[schema(value_type = ReactionKey)]
    emoji: String,
}

impl EmojiBody {
    fn example() -> Self {
        Self {
            emoji: "👍".into()
        }
    }
}

/// The reactions with one emoji.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MudbaseReaction)]
struct ReactionEntry {
    emoji: String,
    count: i64,
    /// Ids of the members, at most 100, first come first.
    #[schema(value_type = Vec<ObjectId>)]
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

fn all(reactions: Vec<Reaction>) -> Mudbase<Vec<ReactionEntry>> {
    Mudbase::new(reactions.into_iter().map(Into::into).collect())
}

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
    let answer = services.client::<Reactions>().add_reaction(request).await?;
    let replayed = Replayed::of(&answer);
    Ok((replayed, Json(all(answer.into_inner().reactions))))
}

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
        .client::<Reactions>()
        .remove_reaction(request)
        .await?
        .into_inner();
    if !answer.removed {
        return Err(Error::invalid("emoji", "You have not added this reaction").into());
    }
    Ok(Json(all(answer.reactions)))
}
