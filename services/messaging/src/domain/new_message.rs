//! A message that may be stored.

use std::sync::Arc;

use guildhall_data::{MessageId, TopicId, WebhookId};
use guildhall_directory::User;

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
