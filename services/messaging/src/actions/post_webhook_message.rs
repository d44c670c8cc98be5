//! Posts messages that arrive by incoming webhooks. The webhooks service has checked the caller;
//! here is checked what every author may do.

use guildhall_data::{CommunityId, IdempotencyKey, WebhookId, id, idempotency::Answer};
use guildhall_proto::messaging::v1::{PostWebhookMessageRequest, PostWebhookMessageResponse};
use guildhall_runtime::Result;
use guildhall_writes::Keyed;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use super::{lookup::require, send_message::new_message};
use crate::{
    Messaging,
    domain::{Content, MessageKind, NewMessage, access::may_author, text},
};

impl Messaging {
    /// Posts a message that arrived by an incoming webhook.
    ///
    /// # Errors
    /// Those of the fields and of [`may_author`], CHANNEL_NOT_FOUND, USER_NOT_FOUND,
    /// TOPIC_NOT_FOUND, TOPIC_CLOSED.
    pub(crate) async fn post_webhook_message(
        &self,
        request: Request<PostWebhookMessageRequest>,
    ) -> Result<Response<PostWebhookMessageResponse>> {
        let keyed = Keyed::named(&request, Some(key_of(request.get_ref())?))?;
        let request = request.into_inner();
        let message = self.message_to_post(request.clone()).await?;
        let claim = self.0.writes.claim(keyed, &request, Answer::Plain);
        let claim = claim.await?;
        self.store(message, claim, |message| PostWebhookMessageResponse {
            message: Some(message),
        })
        .await
    }

    async fn message_to_post(&self, request: PostWebhookMessageRequest) -> Result<NewMessage> {
        let community: CommunityId = id::parse("community_id", &request.community_id)?;
        let webhook: WebhookId = id::parse("webhook_id", &request.webhook_id)?;
        let content = Content::new(request.text, MessageKind::Text, None)?;
        require("channel", &request.channel)?;
        let channels = &self.0.channels;
        let channel = channels.resolve(community, &request.channel).await?;
        let author = match request.sender.as_str() {
            "" => self.0.directory.bot(community).await?,
            sender => {
                self.0
                    .directory
                    .resolve(community, "sender", sender)
                    .await?
            }
        };
        may_author(&channel, &author)?;
        Ok(NewMessage {
            topic: self.topic_to_write_in(&channel, &request.topic_id).await?,
            webhook: Some(webhook),
            ..new_message(channel, Some(author), content)
        })
    }
}

/// The key of a call, scoped to its webhook: a repeated call gets the first response, another call
/// with the same key is refused.
fn key_of(request: &PostWebhookMessageRequest) -> Result<IdempotencyKey> {
    require("dedup_id", &request.dedup_id)?;
    Ok(IdempotencyKey {
        name: "dedup_id",
        community: id::parse("community_id", &request.community_id)?,
        credential: id::parse::<WebhookId>("webhook_id", &request.webhook_id)?.to_string(),
        key: text::dedup_id(&request.dedup_id)?,
        seal_secret: Zeroizing::default(),
    })
}
