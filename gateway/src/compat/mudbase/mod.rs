//! The Mudbase chat facade (contract: mudbase).

pub mod messages;
pub mod reactions;
mod resource;

use guildhall_proto::{
    identity::v1::GetCommunityRequest,
    messaging::v1::{MessageReference, message_reference::Reference},
};
use guildhall_runtime::{Error, ErrorKind, Reason};
use guildhall_types::{ChannelId, CommunityId, MessageId, id};
use serde::Deserialize;
use utoipa::openapi::path::Parameter;

use crate::{
    call::Call,
    envelope::FieldNames,
    failure::Result,
    schema::{id_in_path, in_path, text},
    upstream::{Directory, Services},
};

/// What callers call the fields of our RPCs.
const FIELDS: FieldNames = &[
    ("text", "content"),
    ("kind", "type"),
    ("details.encrypted", "e2ee"),
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
    /// COMMUNITY_NOT_FOUND for any other project, known or not.
    async fn chat(&self, services: &Services, call: &Call) -> Result<ChannelId> {
        let chat = id::parse::<ChannelId>("chatId", &self.chat_id)?;
        own_project(&self.project_id, services, call).await?;
        Ok(chat)
    }
}

impl MessagePath {
    /// The message, in the caller's own project.
    async fn message(&self, services: &Services, call: &Call) -> Result<Option<MessageReference>> {
        let chat = id::parse::<ChannelId>("chatId", &self.chat_id)?;
        let message = id::parse::<MessageId>("messageId", &self.message_id)?;
        own_project(&self.project_id, services, call).await?;
        Ok(message_in(chat, message))
    }
}

fn message_in(chat: ChannelId, message: MessageId) -> Option<MessageReference> {
    Some(MessageReference {
        reference: Some(Reference::Id(message.to_string())),
        channel: chat.to_string(),
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
