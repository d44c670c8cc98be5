//! The Mudbase chat facade (contract: mudbase).

pub mod messages;
pub mod reactions;
mod resource;

use guildhall_proto::{
    identity::v1::GetCommunityRequest,
    messaging::v1::{
        Channel, ChannelType, GetChannelRequest, MessageReference, message_reference::Reference,
    },
};
use guildhall_runtime::{Error, ErrorKind, Reason};
use guildhall_types::{ChannelId, CommunityId, MessageId, id};
use serde::Deserialize;
use utoipa::openapi::path::Parameter;

use crate::{
    call::Call,
    envelope::FieldNames,
    failure::{Result, sent},
    schema::{id_in_path, in_path, text},
    upstream::{Channels, Directory, Services},
};

/// What callers call the fields of our RPCs.
const FIELDS: FieldNames = &[
    ("text", "content"),
    ("kind", "type"),
    ("details.encrypted", "e2ee"),
    ("details.mentioned_user_ids", "mentions"),
    ("message", "messageId"),
    ("channel", "chatId"),
];

/// The parameters of the facade's paths.
fn parameters() -> Vec<Parameter> {
    vec![
        in_path("projectId", "The community's id or slug", text()),
        id_in_path("chatId"),
        id_in_path("messageId"),
    ]
}

/// `{projectId}/chats/{chatId}` of a path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChatPath {
    project_id: String,
    chat_id: String,
}

/// `{projectId}/chats/{chatId}/messages/{messageId}` of a path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessagePath {
    project_id: String,
    chat_id: String,
    message_id: String,
}

impl ChatPath {
    /// The chat, in the caller's own project.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND for any other project, known or not; CHANNEL_NOT_FOUND, also for a forum, whose
    /// messages have topics.
    async fn chat(&self, services: &Services, call: &Call) -> Result<Channel> {
        let chat = id::parse::<ChannelId>("chatId", &self.chat_id)?;
        own_project(&self.project_id, services, call).await?;
        let request = call.request(GetChannelRequest {
            channel: chat.to_string(),
        });
        let answer = services.client::<Channels>().get_channel(request).await?;
        let chat = sent(answer.into_inner().channel, "a channel")?;
        match chat.r#type() {
            ChannelType::Forum => {
                Err(Error::new(Reason::ChannelNotFound, "Channel not found").into())
            }
            ChannelType::Unspecified
            | ChannelType::Open
            | ChannelType::Announcement
            | ChannelType::Dm => Ok(chat),
        }
    }
}

impl MessagePath {
    /// The message, in the caller's own project.
    async fn message(&self, services: &Services, call: &Call) -> Result<Option<MessageReference>> {
        let message = id::parse::<MessageId>("messageId", &self.message_id)?;
        let path = ChatPath {
            project_id: self.project_id.clone(),
            chat_id: self.chat_id.clone(),
        };
        let chat = path.chat(services, call).await?;
        Ok(message_in(&chat.id, message))
    }
}

fn message_in(chat: &str, message: MessageId) -> Option<MessageReference> {
    Some(MessageReference {
        reference: Some(Reference::Id(message.to_string())),
        channel: chat.to_owned(),
        include_encrypted: true,
    })
}

/// A project is a community, named by its id or its name in addresses.
async fn own_project(project: &str, services: &Services, call: &Call) -> Result<()> {
    let own = call.community()?;
    let found = match project.parse::<CommunityId>() {
        Ok(id) => Some(id),
        Err(_) => by_slug(project, services, call).await?,
    };
    if found != Some(own) {
        return Err(Error::new(Reason::CommunityNotFound, "Project not found").into());
    }
    Ok(())
}

async fn by_slug(slug: &str, services: &Services, call: &Call) -> Result<Option<CommunityId>> {
    let request = call.request(GetCommunityRequest {
        community: slug.to_owned(),
    });
    match services
        .client::<Directory>()
        .get_community(request)
        .await
        .map_err(Error::from)
    {
        Ok(answer) => {
            let id = answer.into_inner().id.parse().map_err(Error::internal)?;
            Ok(Some(id))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
