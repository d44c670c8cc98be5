//! Sending and replying: check everything, then wait for the disk.

use std::{sync::Arc, time::Duration};

use guildhall_auth::{Caller, CallerExt, caller::answer};
use guildhall_data::{Claim, MessageId, Ticket, TopicId, WebhookId, idempotency::Answer};
use guildhall_proto::messaging::v1::{
    Message, ReplyMessageRequest, ReplyMessageResponse, SendMessageRequest, SendMessageResponse,
};
use guildhall_runtime::{Error, Reason, Result, trace};
use tonic::{Request, Response};

use super::locate::{hide, require, require_sender};
use crate::{
    Messaging,
    domain::{Channel, ChannelKind, Content, Member, MessageKind, access::may_write, text},
    store::{append::Item, messages, topics},
};

const SEND: &str = "/guildhall.messaging.v1.MessageService/SendMessage";
const REPLY: &str = "/guildhall.messaging.v1.MessageService/ReplyMessage";
/// How long a `dedup_id` is remembered (contract: sendbird, part 2).
const DEDUP_KEPT: Duration = Duration::from_secs(600);
/// The longest `dedup_id`, in characters.
const MAX_DEDUP_ID: usize = 128;

/// A message that may be stored.
pub(super) struct Post {
    pub(super) channel: Arc<Channel>,
    pub(super) topic: Option<TopicId>,
    pub(super) parent: Option<(MessageId, i64)>,
    pub(super) author: Option<Arc<Member>>,
    pub(super) content: Content,
    pub(super) webhook: Option<WebhookId>,
}

impl Messaging {
    /// Sends a message.
    pub async fn send(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let (keyed, request) = (key.is_some(), request.into_inner());
        let claim = self
            .0
            .idempotency
            .claim(key, SEND, &request, Answer::Plain)
            .await?;
        let ticket = match claim {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let dedup = (!keyed).then(|| request.dedup_id.clone());
        let post = self.message_to_send(&caller, request).await?;
        let claim = self
            .claim_dedup(&caller, SEND, &post, dedup, ticket)
            .await?;
        self.store(post, claim, |message| SendMessageResponse {
            message: Some(message),
        })
        .await
    }

    /// Replies to a message.
    pub async fn reply(
        &self,
        request: Request<ReplyMessageRequest>,
    ) -> Result<Response<ReplyMessageResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let (keyed, request) = (key.is_some(), request.into_inner());
        let claim = self
            .0
            .idempotency
            .claim(key, REPLY, &request, Answer::Plain)
            .await?;
        let ticket = match claim {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let dedup = (!keyed).then(|| request.dedup_id.clone());
        let post = self.message_to_reply(&caller, request).await?;
        let claim = self
            .claim_dedup(&caller, REPLY, &post, dedup, ticket)
            .await?;
        self.store(post, claim, |message| ReplyMessageResponse {
            message: Some(message),
        })
        .await
    }

    async fn message_to_send(&self, caller: &Caller, request: SendMessageRequest) -> Result<Post> {
        let kind = MessageKind::from_proto(request.kind)?;
        let content = Content::new(request.text, kind, request.details)?;
        require("channel", &request.channel)?;
        require_author(caller, &request.sender, kind)?;
        let channel = self
            .0
            .rooms
            .named(caller.community, &request.channel)
            .await?;
        let author = self.author(caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref())?;
        let topic = self.topic_to_send_to(&channel, &request.topic_id).await?;
        Ok(Post {
            channel,
            topic,
            parent: None,
            author,
            content,
            webhook: None,
        })
    }

    async fn message_to_reply(
        &self,
        caller: &Caller,
        request: ReplyMessageRequest,
    ) -> Result<Post> {
        let kind = MessageKind::from_proto(request.kind)?;
        let content = Content::new(request.text, kind, request.details)?;
        require_author(caller, &request.sender, kind)?;
        let (parent, channel) = self.message_at(caller, request.message).await?;
        let author = self.author(caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref()).map_err(hide)?;
        let root = root_of(&parent)?;
        if let Some(topic) = parent.topic_id {
            refuse_closed(&*self.0.rooms.topic_by_id(caller.community, topic).await?)?;
        }
        Ok(Post {
            channel,
            topic: parent.topic_id,
            parent: Some(root),
            author,
            content,
            webhook: None,
        })
    }

    /// The topic of a forum channel that the message belongs to; other channels have none.
    pub(super) async fn topic_to_send_to(
        &self,
        channel: &Channel,
        id: &str,
    ) -> Result<Option<TopicId>> {
        match channel.kind {
            ChannelKind::Forum => {
                let topic = self.0.rooms.topic(channel, id).await?;
                refuse_closed(&topic)?;
                Ok(Some(topic.id))
            }
            ChannelKind::Open | ChannelKind::Announcement | ChannelKind::Dm => Ok(None),
        }
    }

    /// Claims a `dedup_id` for its sender; without one the ticket stays as it is.
    async fn claim_dedup<A: prost::Message + Default>(
        &self,
        caller: &Caller,
        rpc: &'static str,
        post: &Post,
        dedup_id: Option<String>,
        ticket: Ticket,
    ) -> Result<Claim<A>> {
        let Some(dedup_id) = dedup_id.filter(|id| !id.is_empty()) else {
            return Ok(Claim::First(ticket));
        };
        let dedup_id = text::optional("dedup_id", &dedup_id, MAX_DEDUP_ID)?;
        let sender = post
            .author
            .as_ref()
            .map(|author| author.id.to_string())
            .unwrap_or_default();
        let key = caller.idempotency_key(format!("dedup:{sender}:{dedup_id}"));
        self.0.idempotency.claim_any(key, rpc, DEDUP_KEPT).await
    }

    pub(super) async fn store<A>(
        &self,
        post: Post,
        claim: Claim<A>,
        response: fn(Message) -> A,
    ) -> Result<Response<A>> {
        let ticket = match claim {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let item = Item {
            id: MessageId::generate(),
            channel: post.channel,
            topic: post.topic,
            parent: post.parent,
            author: post.author,
            content: post.content,
            webhook: post.webhook,
            traceparent: trace::traceparent(),
            ticket,
        };
        Ok(answer(response(self.0.appends.submit(item).await?), false))
    }
}

/// A message names its sender, unless it comes from the administration.
fn require_author(caller: &Caller, sender: &str, kind: MessageKind) -> Result<()> {
    if kind == MessageKind::Admin {
        return Ok(());
    }
    require_sender(caller, sender)
}

/// The message that a reply hangs on: one level, so a reply to a reply hangs on the same parent.
fn root_of(parent: &messages::Model) -> Result<(MessageId, i64)> {
    if parent.kind == MessageKind::Admin {
        return Err(Error::invalid(
            "message",
            "An administrative message takes no replies",
        ));
    }
    let root = parent.parent_id.zip(parent.parent_number);
    Ok(root.unwrap_or((parent.id, parent.number)))
}

fn refuse_closed(topic: &topics::Model) -> Result<()> {
    if topic.closed {
        return Err(Error::new(Reason::TopicClosed, "The forum topic is closed"));
    }
    Ok(())
}
