//! A message that may be stored.

use std::sync::Arc;

use guildhall_data::{MessageId, TopicId, WebhookId};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{Author, Message, ParentMessage};
use guildhall_types::ProtoEnum as _;

use super::{Channel, Content};

/// A message that is about to be stored. Everything in it was checked.
#[derive(Debug)]
pub struct NewMessage {
    /// Its id, by which its outcome can be looked up.
    pub id: MessageId,
    /// Its channel.
    pub channel: Arc<Channel>,
    /// Its topic, in a forum channel.
    pub topic: Option<TopicId>,
    /// The id and the number of the message that it replies to.
    pub parent: Option<(MessageId, i64)>,
    /// Who wrote it; none for administrative messages.
    pub author: Option<Arc<User>>,
    /// What it says.
    pub content: Content,
    /// Whom it mentions.
    pub mentions: Vec<Arc<User>>,
    /// The incoming webhook that it came by.
    pub webhook: Option<WebhookId>,
    /// W3C trace context of its request; empty when the request is not sampled.
    pub traceparent: String,
}

impl NewMessage {
    /// What is stored of it, without what storing adds. Two messages of which this is the same say
    /// the same, however their requests spelled it.
    #[must_use]
    pub fn canonical(&self) -> Message {
        let author = self.author.as_ref().map(|author| Author {
            user_id: author.id.to_string(),
            ..Author::default()
        });
        let parent = self.parent.map(|(id, number)| ParentMessage {
            id: id.to_string(),
            number,
        });
        Message {
            channel_id: self.channel.id.to_string(),
            author,
            text: self.content.text.clone(),
            kind: self.content.kind.to_proto().into(),
            parent,
            topic_id: self.topic.map(|id| id.to_string()).unwrap_or_default(),
            details: self.content.details.clone(),
            ..Message::default()
        }
    }
}
