//! Sending, replying and reading.

use std::{sync::Arc, time::Duration};

use guildhall_auth::{Caller, CallerExt, caller::answer};
use guildhall_data::{Claim, MessageId, Ticket, TopicId, idempotency::Answer};
use guildhall_proto::messaging::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse, Message,
    ReplyMessageRequest, ReplyMessageResponse, SendMessageRequest, SendMessageResponse,
    WatchMessagesRequest, message_service_server::MessageService,
};
use guildhall_runtime::{Error, Reason, Result};
use tonic::{Request, Response, Status};

use super::{
    locate::{hide, require},
    watch::MessageStream,
};
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

#[tonic::async_trait]
impl MessageService for Messaging {
    type WatchMessagesStream = MessageStream;

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        Ok(self.send(request).await?)
    }

    async fn reply_message(
        &self,
        request: Request<ReplyMessageRequest>,
    ) -> Result<Response<ReplyMessageResponse>, Status> {
        Ok(self.reply(request).await?)
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        let caller = request.caller()?;
        let reference = request.into_inner().message;
        let (message, _) = self.readable_message(&caller, reference).await?;
        let message = self.shown(caller.community, vec![message]).await?.pop();
        Ok(Response::new(GetMessageResponse { message }))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.list(&caller, request.into_inner()).await?,
        ))
    }

    async fn watch_messages(
        &self,
        request: Request<WatchMessagesRequest>,
    ) -> Result<Response<Self::WatchMessagesStream>, Status> {
        let caller = request.caller()?;
        Ok(Response::new(
            self.watch(&caller, request.into_inner()).await?,
        ))
    }
}

/// Where a message goes.
struct Spot {
    channel: Arc<Channel>,
    topic: Option<TopicId>,
    parent: Option<(MessageId, i64)>,
}

impl Messaging {
    async fn send(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let mut request = request.into_inner();
        let dedup_id = if key.is_some() {
            String::new()
        } else {
            request.dedup_id.clone()
        };
        let ticket = match self
            .0
            .idempotency
            .claim(key, SEND, &request, Answer::Plain)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let kind = MessageKind::from_proto(request.kind());
        let content = Content::new(
            std::mem::take(&mut request.text),
            kind,
            request.details.take(),
        )?;
        require("channelId", &request.channel)?;
        let channel = self
            .0
            .rooms
            .named(caller.community, &request.channel)
            .await?;
        let author = self.author(&caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref())?;
        let topic = self.topic_to_send_to(&channel, &request.topic_id).await?;
        let ticket = match self
            .claim_dedup(&caller, SEND, author.as_deref(), dedup_id, ticket)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let spot = Spot {
            channel,
            topic,
            parent: None,
        };
        let message = Some(self.append(spot, author, content, ticket).await?);
        Ok(answer(SendMessageResponse { message }, false))
    }

    async fn reply(
        &self,
        request: Request<ReplyMessageRequest>,
    ) -> Result<Response<ReplyMessageResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let mut request = request.into_inner();
        let dedup_id = if key.is_some() {
            String::new()
        } else {
            request.dedup_id.clone()
        };
        let ticket = match self
            .0
            .idempotency
            .claim(key, REPLY, &request, Answer::Plain)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let kind = MessageKind::from_proto(request.kind());
        let content = Content::new(
            std::mem::take(&mut request.text),
            kind,
            request.details.take(),
        )?;
        let (parent, channel) = self.message_at(&caller, request.message.take()).await?;
        let author = self.author(&caller, &request.sender, kind).await?;
        may_write(&caller.authority, &channel, author.as_deref()).map_err(hide)?;
        let spot = self.spot_under(channel, &parent).await?;
        let ticket = match self
            .claim_dedup(&caller, REPLY, author.as_deref(), dedup_id, ticket)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let message = Some(self.append(spot, author, content, ticket).await?);
        Ok(answer(ReplyMessageResponse { message }, false))
    }

    /// The topic of a forum channel that the message belongs to; other channels have none.
    async fn topic_to_send_to(&self, channel: &Channel, id: &str) -> Result<Option<TopicId>> {
        match channel.kind {
            ChannelKind::Forum => {
                let topic = self.0.rooms.topic(channel, id).await?;
                refuse_closed(&topic)?;
                Ok(Some(topic.id))
            }
            ChannelKind::Open | ChannelKind::Announcement | ChannelKind::Dm => Ok(None),
        }
    }

    /// The place of a reply: one level, so a reply to a reply hangs on the same parent.
    async fn spot_under(&self, channel: Arc<Channel>, parent: &messages::Model) -> Result<Spot> {
        if parent.kind == MessageKind::Admin {
            return Err(Error::invalid(
                "messageId",
                "An administrative message takes no replies",
            ));
        }
        if let Some(topic) = parent.topic_id {
            refuse_closed(&*self.0.rooms.topic_by_id(channel.community, topic).await?)?;
        }
        let root = parent.parent_id.zip(parent.parent_number);
        Ok(Spot {
            channel,
            topic: parent.topic_id,
            parent: Some(root.unwrap_or((parent.id, parent.number))),
        })
    }

    /// Claims a `dedup_id` for its sender; without one the ticket stays as it is.
    async fn claim_dedup<A: prost::Message + Default>(
        &self,
        caller: &Caller,
        rpc: &'static str,
        author: Option<&Member>,
        dedup_id: String,
        ticket: Ticket,
    ) -> Result<Claim<A>> {
        if dedup_id.is_empty() {
            return Ok(Claim::First(ticket));
        }
        let dedup_id = text::optional("dedup_id", &dedup_id, MAX_DEDUP_ID)?;
        let sender = author
            .map(|author| author.id.to_string())
            .unwrap_or_default();
        let key = caller.idempotency_key(format!("dedup:{sender}:{dedup_id}"));
        self.0.idempotency.claim_any(key, rpc, DEDUP_KEPT).await
    }

    async fn append(
        &self,
        spot: Spot,
        author: Option<Arc<Member>>,
        content: Content,
        ticket: Ticket,
    ) -> Result<Message> {
        let item = Item {
            id: MessageId::generate(),
            channel: spot.channel,
            topic: spot.topic,
            parent: spot.parent,
            author,
            content,
            ticket,
        };
        self.0.appends.submit(item).await
    }
}

fn refuse_closed(topic: &topics::Model) -> Result<()> {
    if topic.closed {
        return Err(Error::new(Reason::TopicClosed, "The forum topic is closed"));
    }
    Ok(())
}
