//! Messages that come by incoming webhooks. The webhooks service has checked who calls; here is
//! checked what any author may do.

use guildhall_data::{CommunityId, IdempotencyKey, WebhookId, idempotency::Answer};
use guildhall_proto::messaging::v1::{PostWebhookMessageRequest, PostWebhookMessageResponse};
use guildhall_runtime::Result;
use tonic::Response;
use zeroize::Zeroizing;

use super::{locate::require, post::Post};
use crate::{
    Messaging,
    domain::{Content, MessageKind, access::may_author, text},
};

const POST: &str = "/guildhall.messaging.v1.MessageService/PostWebhookMessage";
/// The longest `dedup_id`, in characters.
const MAX_DEDUP_ID: usize = 128;

impl Messaging {
    /// Sends a message that came by an incoming webhook.
    pub async fn post_from_webhook(
        &self,
        request: PostWebhookMessageRequest,
    ) -> Result<Response<PostWebhookMessageResponse>> {
        let key = key_of(&request)?;
        let post = self.message_to_post(request.clone()).await?;
        let idempotency = &self.0.idempotency;
        let claim = idempotency.claim(Some(key), POST, &request, Answer::Plain);
        let claim = claim.await?;
        self.store(post, claim, |message| PostWebhookMessageResponse {
            message: Some(message),
        })
        .await
    }

    async fn message_to_post(&self, request: PostWebhookMessageRequest) -> Result<Post> {
        let community: CommunityId = request.community_id.parse()?;
        let webhook: WebhookId = request.webhook_id.parse()?;
        let content = Content::new(request.text, MessageKind::Text, None)?;
        require("channel", &request.channel)?;
        require("sender", &request.sender)?;
        let channel = self.0.rooms.named(community, &request.channel).await?;
        let author = self.0.directory.resolve(community, &request.sender).await?;
        may_author(&channel, &author)?;
        let topic = self.topic_to_send_to(&channel, &request.topic_id).await?;
        Ok(Post {
            channel,
            topic,
            parent: None,
            author: Some(author),
            content,
            webhook: Some(webhook),
        })
    }
}

/// A call that is repeated finds what was sent first, under the webhook's own name; another call
/// under the name of the first is refused.
fn key_of(request: &PostWebhookMessageRequest) -> Result<IdempotencyKey> {
    require("dedup_id", &request.dedup_id)?;
    Ok(IdempotencyKey {
        community: request.community_id.parse()?,
        credential: request.webhook_id.parse::<WebhookId>()?.to_string(),
        key: text::optional("dedup_id", &request.dedup_id, MAX_DEDUP_ID)?,
        seal_secret: Zeroizing::default(),
    })
}
