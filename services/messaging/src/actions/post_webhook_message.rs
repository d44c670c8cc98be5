//! Posts messages that arrive by incoming webhooks. The webhooks service has checked the caller;
//! here is checked what every author may do.

use guildhall_auth::request::answer;
use guildhall_data::{Claim, CommunityId, IdempotencyKey, WebhookId, id, idempotency::Answer};
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
        let keys = keys_of(&request)?;
        let request = request.into_inner();
        let ticket = match self.0.writes.claim_all(keys, Answer::Plain).await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let message = self.message_to_post(request).await?;
        let response = |message| PostWebhookMessageResponse {
            message: Some(message),
        };
        self.store(message, Claim::First(ticket), response).await
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

/// The keys of a call, scoped to its webhook: a repeated call gets the first response, another call
/// with the same key is refused.
fn keys_of(
    request: &Request<PostWebhookMessageRequest>,
) -> Result<Vec<(Keyed, PostWebhookMessageRequest)>> {
    let message = request.get_ref();
    if message.idempotency_key.is_empty() {
        require("dedup_id", &message.dedup_id)?;
    }
    let names = [
        ("dedup_id", &message.dedup_id),
        ("Idempotency-Key", &message.idempotency_key),
    ];
    let given = names.into_iter().filter(|(_, key)| !key.is_empty());
    let keyed = given.map(|(name, key)| {
        let keyed = Keyed::named(request, Some(key_of(message, name, key)?))?;
        // What a key stands for is the message alone, whichever other key comes with it.
        let alone = PostWebhookMessageRequest {
            dedup_id: key.clone(),
            idempotency_key: String::new(),
            ..message.clone()
        };
        Ok((keyed, alone))
    });
    keyed.collect()
}

fn key_of(
    request: &PostWebhookMessageRequest,
    name: &'static str,
    key: &str,
) -> Result<IdempotencyKey> {
    Ok(IdempotencyKey {
        name,
        community: id::parse("community_id", &request.community_id)?,
        credential: id::parse::<WebhookId>("webhook_id", &request.webhook_id)?.to_string(),
        key: text::dedup_id(key)?,
        seal_secret: Zeroizing::default(),
    })
}
