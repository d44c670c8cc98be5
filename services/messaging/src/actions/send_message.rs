//! Sends messages and replies: checks everything, then waits for the group commit.

use std::{sync::Arc, time::Duration};

use guildhall_auth::{Caller, CallerExt, request::answer};
use guildhall_data::{Claim, IdempotencyKey, MessageId, Ticket, TopicId, idempotency::Answer};
use guildhall_directory::User;
use guildhall_proto::messaging::v1::{
    Message, ReplyMessageRequest, ReplyMessageResponse, SendMessageRequest, SendMessageResponse,
};
use guildhall_runtime::{Error, Reason, Result, trace};
use guildhall_writes::Keyed;
use prost::Message as Proto;
use tonic::{Request, Response};

use super::{
    append::Item,
    lookup::{hide_channel, require, require_sender},
};
use crate::{
    Messaging,
    domain::{Channel, ChannelKind, Content, MessageKind, NewMessage, access::may_write, text},
    store::{messages, topics},
};

/// How long a `dedup_id` is kept (contract: sendbird, part 2).
const DEDUP_KEPT: Duration = Duration::from_secs(600);
/// Where a `dedup_id` is known: a message and a reply share their ids.
const DEDUP_SCOPE: &str = "/guildhall.messaging.v1.MessageService/dedup_id";

impl Messaging {
    /// Sends a message.
    ///
    /// # Errors
    /// Those of the fields and of [`may_write`], CHANNEL_NOT_FOUND, USER_NOT_FOUND, TOPIC_NOT_FOUND,
    /// TOPIC_CLOSED.
    pub(crate) async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>> {
        let dedup_id = request.get_ref().dedup_id.clone();
        let message = |caller: Arc<Caller>, request| async move {
            self.message_to_send(&caller, request).await
        };
        let response = |message| SendMessageResponse {
            message: Some(message),
        };
        self.write(request, dedup_id, message, response).await
    }

    /// Replies to a message.
    ///
    /// # Errors
    /// Those of the fields and of [`may_write`], MESSAGE_NOT_FOUND, USER_NOT_FOUND, TOPIC_CLOSED.
    pub(crate) async fn reply_message(
        &self,
        request: Request<ReplyMessageRequest>,
    ) -> Result<Response<ReplyMessageResponse>> {
        let dedup_id = request.get_ref().dedup_id.clone();
        let message = |caller: Arc<Caller>, request| async move {
            self.message_to_reply(&caller, request).await
        };
        let response = |message| ReplyMessageResponse {
            message: Some(message),
        };
        self.write(request, dedup_id, message, response).await
    }

    /// Stores the message of a call once for its Idempotency-Key and once for its `dedup_id`.
    async fn write<Q, A, M>(
        &self,
        request: Request<Q>,
        dedup_id: String,
        message: impl FnOnce(Arc<Caller>, Q) -> M,
        response: fn(Message) -> A,
    ) -> Result<Response<A>>
    where
        Q: Proto,
        A: Proto + Default,
        M: Future<Output = Result<NewMessage>>,
    {
        let (caller, keyed) = (request.caller()?, Keyed::of(&request)?);
        let dedup_id = text::dedup_id(&dedup_id)?;
        let request = request.into_inner();
        let claim = self.0.writes.claim(keyed, &request, Answer::Plain);
        let ticket = match claim.await? {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let message = message(Arc::clone(&caller), request).await?;
        let claim = self
            .claim_dedup_id(&caller, &message, &dedup_id, ticket)
            .await?;
        self.store(message, claim, response).await
    }

    async fn message_to_send(
        &self,
        caller: &Caller,
        request: SendMessageRequest,
    ) -> Result<NewMessage> {
        let kind = MessageKind::of_request(request.kind)?;
        let mut content = Content::new(request.text, kind, request.details)?;
        require("channel", &request.channel)?;
        require_author(caller, &request.sender, kind)?;
        let channels = &self.0.channels;
        let channel = channels.resolve(caller.community, &request.channel).await?;
        let author = self.author(caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref())?;
        Ok(NewMessage {
            mentions: self
                .mentions(caller.community, &channel, &mut content)
                .await?,
            topic: self.topic_to_write_in(&channel, &request.topic_id).await?,
            ..new_message(channel, author, content)
        })
    }

    async fn message_to_reply(
        &self,
        caller: &Caller,
        request: ReplyMessageRequest,
    ) -> Result<NewMessage> {
        let kind = MessageKind::of_request(request.kind)?;
        let mut content = Content::new(request.text, kind, request.details)?;
        require_author(caller, &request.sender, kind)?;
        let (parent, channel) = self
            .referenced_message(caller, "message", request.message)
            .await?;
        let author = self.author(caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref()).map_err(hide_channel)?;
        let root = root_of(&parent)?;
        if let Some(topic) = parent.topic_id {
            refuse_closed(&*self.0.channels.topic(caller.community, topic).await?)?;
        }
        Ok(NewMessage {
            mentions: self
                .mentions(caller.community, &channel, &mut content)
                .await?,
            topic: parent.topic_id,
            parent: Some(root),
            ..new_message(channel, author, content)
        })
    }

    /// The open topic that a message in a forum channel belongs to; other channels have none.
    pub(super) async fn topic_to_write_in(
        &self,
        channel: &Channel,
        id: &str,
    ) -> Result<Option<TopicId>> {
        match channel.kind {
            ChannelKind::Forum => {
                let topic = self.0.channels.topic_of(channel, id).await?;
                refuse_closed(&topic)?;
                Ok(Some(topic.id))
            }
            ChannelKind::Open | ChannelKind::Announcement | ChannelKind::Dm => Ok(None),
        }
    }

    /// Claims a `dedup_id` for its sender in its channel; without one the ticket stays as it is.
    async fn claim_dedup_id<A: Proto + Default>(
        &self,
        caller: &Caller,
        message: &NewMessage,
        dedup_id: &str,
        ticket: Ticket,
    ) -> Result<Claim<A>> {
        if dedup_id.is_empty() {
            return Ok(Claim::First(ticket));
        }
        let content = message.canonical();
        let key = format!(
            "{}:{}:{dedup_id}",
            content.channel_id,
            content.author.as_ref().map_or("", |author| &author.user_id)
        );
        let key = IdempotencyKey {
            name: "dedup_id",
            ..caller.idempotency_key(key)
        };
        let writes = &self.0.writes;
        writes
            .claim_also(ticket, key, DEDUP_SCOPE, &content, DEDUP_KEPT)
            .await
    }

    /// Waits until the message is stored, together with the response for its key.
    pub(super) async fn store<A>(
        &self,
        message: NewMessage,
        claim: Claim<A>,
        response: fn(Message) -> A,
    ) -> Result<Response<A>> {
        let ticket = match claim {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let stored = self.0.appends.submit(Item { message, ticket }).await?;
        Ok(answer(response(stored), false))
    }
}

/// A message that is neither a reply nor in a topic.
pub(super) fn new_message(
    channel: Arc<Channel>,
    author: Option<Arc<User>>,
    content: Content,
) -> NewMessage {
    NewMessage {
        id: MessageId::generate(),
        channel,
        topic: None,
        parent: None,
        author,
        content,
        mentions: Vec::new(),
        webhook: None,
        traceparent: trace::traceparent(),
    }
}

/// Every message but an administrative one names its sender.
fn require_author(caller: &Caller, sender: &str, kind: MessageKind) -> Result<()> {
    if kind == MessageKind::Admin {
        return Ok(());
    }
    require_sender(caller, sender)
}

/// The message that a reply is attached to. There is one level: a reply to a reply is attached to
/// the same parent.
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
