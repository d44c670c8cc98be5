//! Topics of forum channels.

use std::sync::Arc;

use guildhall_auth::{Caller, CallerExt, caller::answer};
use guildhall_data::{Claim, Database, TopicId, idempotency::Answer, page};
use guildhall_proto::messaging::v1::{
    CreateTopicRequest, CreateTopicResponse, ListTopicsRequest, ListTopicsResponse,
    topic_service_server::TopicService,
};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use tonic::{Request, Response, Status};

use super::locate::require;
use crate::{
    Messaging,
    domain::{Channel, ChannelKind, Member, access::may_read, text},
    present,
    store::topics,
};

const CREATE: &str = "/guildhall.messaging.v1.TopicService/CreateTopic";
/// The longest title, in characters (contract: messaging, "Create forum topic").
const MAX_TITLE: usize = 200;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1000;
/// Topics of a page when the request does not say.
const DEFAULT_PAGE: u64 = 20;
/// Topics of a page at most.
const MAX_PAGE: u64 = 100;

#[tonic::async_trait]
impl TopicService for Messaging {
    async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>, Status> {
        Ok(self.open_topic(request).await?)
    }

    async fn list_topics(
        &self,
        request: Request<ListTopicsRequest>,
    ) -> Result<Response<ListTopicsResponse>, Status> {
        let caller = request.caller()?;
        let request = request.into_inner();
        let size = page::size(request.page_size, DEFAULT_PAGE, MAX_PAGE)?;
        let before = page::decode::<(i64, String)>(&request.page_token)?;
        let before = before
            .map(|(at, id)| id.parse().map(|id| (at, id)))
            .transpose()?;
        let channel = self.forum(&caller, &request.channel_id).await?;
        let connection = self.0.database.reader();
        let rows =
            topics::list(connection, channel.community, channel.id, before, size + 1).await?;
        let (rows, next_page_token) =
            page::cut(rows, size, |row| (row.created_at, row.id.to_string()));
        let topics = rows.into_iter().map(present::topic).collect();
        Ok(Response::new(ListTopicsResponse {
            topics,
            next_page_token,
        }))
    }
}

impl Messaging {
    async fn open_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>> {
        let (caller, key) = (request.caller()?, request.idempotency_key()?);
        let request = request.into_inner();
        let ticket = match self
            .0
            .idempotency
            .claim(key, CREATE, &request, Answer::Plain)
            .await?
        {
            Claim::First(ticket) => ticket,
            Claim::Replay(first) => return Ok(answer(first, true)),
        };
        let topic = self.new_topic(&caller, request).await?;
        let transaction = self.0.database.begin().await?;
        topics::insert(&transaction, &topic).await?;
        let response = CreateTopicResponse {
            topic: Some(present::topic(topic)),
        };
        ticket.record(&transaction, &response).await?;
        Database::commit(transaction).await?;
        Ok(answer(response, false))
    }

    /// The topic that a request asks for, checked.
    async fn new_topic(
        &self,
        caller: &Caller,
        request: CreateTopicRequest,
    ) -> Result<topics::Model> {
        let title = text::required("title", &request.title, MAX_TITLE)?;
        let description = text::optional("description", &request.description, MAX_DESCRIPTION)?;
        let channel = self.forum(caller, &request.channel_id).await?;
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

    /// Who opens a topic: the sender, or the user to whom the caller's doings are put down.
    async fn topic_creator(&self, caller: &Caller, sender: &str) -> Result<Arc<Member>> {
        if sender.is_empty() {
            return self
                .0
                .directory
                .member(caller.community, caller.user())
                .await;
        }
        self.acting(caller, sender).await
    }

    async fn forum(&self, caller: &Caller, id: &str) -> Result<Arc<Channel>> {
        require("channel_id", id)?;
        let channel = self.0.rooms.channel(caller.community, id.parse()?).await?;
        may_read(&caller.authority, &channel)?;
        match channel.kind {
            ChannelKind::Forum => Ok(channel),
            ChannelKind::Open | ChannelKind::Announcement | ChannelKind::Dm => {
                Err(Error::new(Reason::WrongState, "The channel is not a forum"))
            }
        }
    }
}
