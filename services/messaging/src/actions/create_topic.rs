//! Opens a topic in a forum channel.

use std::sync::Arc;

use guildhall_auth::Caller;
use guildhall_data::{Tenant as _, TopicId, idempotency::Answer};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{CreateTopicRequest, CreateTopicResponse};
use guildhall_runtime::{Result, Timestamp};
use guildhall_types::text;
use tonic::{Request, Response};

use crate::{Messaging, present, store::topics};

/// The longest title, in characters (contract: messaging, "Create forum topic").
const MAX_TITLE: usize = 200;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1000;

impl Messaging {
    /// Opens a topic.
    ///
    /// # Errors
    /// Those of the fields, CHANNEL_NOT_FOUND, WRONG_STATE for a channel that is not a forum,
    /// ALREADY_EXISTS when an open topic has the title.
    pub(crate) async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Plain, |write, request| async move {
            let topic = self.new_topic(&write.caller, request).await?;
            let transaction = write.begin().await?;
            topics::Entity::insert_one(&transaction, &topic).await?;
            let topic = Some(present::topic(topic));
            write
                .finish(transaction, CreateTopicResponse { topic })
                .await
        });
        write.await
    }

    /// The topic that a request describes, checked.
    async fn new_topic(
        &self,
        caller: &Caller,
        request: CreateTopicRequest,
    ) -> Result<topics::Model> {
        let title = text::line("title", &request.title, MAX_TITLE)?;
        let description = text::optional("description", &request.description, MAX_DESCRIPTION)?;
        let channel = self.readable_forum(caller, &request.channel_id).await?;
        Ok(topics::Model {
            community_id: caller.community,
            id: TopicId::generate(),
            channel_id: channel.id,
            title,
            description,
            creator_id: self.topic_creator(caller, &request.sender).await?.id,
            closed: false,
            pinned: request.pinned,
            created_at: Timestamp::now().as_millis(),
        })
    }

    /// The member who opens a topic: the sender, or the user whom the caller acts for.
    async fn topic_creator(&self, caller: &Caller, sender: &str) -> Result<Arc<User>> {
        if sender.is_empty() {
            return self.0.directory.get(caller.community, caller.user()).await;
        }
        self.acting_member(caller, sender).await
    }
}
