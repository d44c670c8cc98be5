//! Gets and lists messages.

use std::sync::Arc;

use guildhall_auth::{Caller, CallerExt, ChannelLimit};
use guildhall_data::{
    MessageId, PageRequest, TopicId, UserId, id,
    page::{self, Limits},
};
use guildhall_proto::messaging::v1::{
    GetMessageRequest, GetMessageResponse, ListMessagesRequest, ListMessagesResponse,
};
use guildhall_runtime::Result;
use tonic::{Request, Response};

use super::{lookup::hide_channel, message_range::Within};
use crate::{
    Messaging,
    domain::{
        Channel,
        access::{may_read, message_not_found},
    },
    store::listing::{self, Along, Direct, Direction, Filter, Listing},
};

/// Messages of a page.
const LIMITS: Limits = Limits {
    default_size: 10,
    max_size: 200,
    max_skip: 0,
};

/// The records that a request names. The caller may read all of them.
#[derive(Default)]
struct Named {
    channel: Option<Arc<Channel>>,
    topic: Option<TopicId>,
    parent: Option<MessageId>,
    user: Option<UserId>,
}

impl Named {
    /// The index that reads the fewest rows.
    fn along(&self) -> Along {
        match (self.parent, self.topic, self.user, &self.channel) {
            (Some(parent), ..) => Along::Parent(parent),
            (None, Some(topic), ..) => Along::Topic(topic),
            (None, None, Some(user), Some(channel)) if channel.is_direct() => {
                Along::Author(user, Direct::Only)
            }
            (None, None, Some(user), _) => Along::Author(user, Direct::Not),
            (None, None, None, Some(channel)) => Along::Channel(channel.id),
            (None, None, None, None) => Along::Community,
        }
    }
}

impl Messaging {
    /// The message that a request refers to, if the caller may read it.
    ///
    /// # Errors
    /// MESSAGE_NOT_FOUND, CHANNEL_NOT_ALLOWED.
    pub(crate) async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let (message, _) = self
            .readable_message(&caller, "message", request.message)
            .await?;
        let mut messages = self
            .present_messages(caller.community, vec![message])
            .await?;
        Ok(Response::new(GetMessageResponse {
            message: messages.pop(),
        }))
    }

    /// A page of the messages that a request describes and the caller may read.
    ///
    /// # Errors
    /// INVALID_VALUE for a wrong page size or token, and not-found errors for what the request
    /// names.
    pub(crate) async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>> {
        let (caller, request) = (request.caller()?, request.get_ref());
        let (size, token) = (request.page_size, &request.page_token);
        let page = PageRequest::<i64>::parse(LIMITS, size, token, 0)?;
        let named = self.named(&caller, request).await?;
        let (along, filter) = (named.along(), filter(&caller, &named, request));
        let within = Within {
            community: caller.community,
            channel: filter.channel,
            along,
        };
        let range = self.range(within, request).await?;
        let direction = match request.after {
            Some(_) => Direction::OldestFirst,
            None => Direction::NewestFirst,
        };
        let range = page
            .after()
            .map_or(range, |position| direction.after(*position, range));
        let listing = Listing {
            along,
            filter,
            range,
            direction,
            whole_moments: request.whole_moments,
        };
        let page = self.page(&caller, &listing, page.size()).await?;
        Ok(Response::new(page))
    }

    async fn page(
        &self,
        caller: &Caller,
        listing: &Listing,
        size: u64,
    ) -> Result<ListMessagesResponse> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let connection = self.0.database.reader();
        let mut page = listing::page(connection, caller.community, listing, size).await?;
        if listing.direction == Direction::OldestFirst {
            page.messages.reverse();
        }
        self.0.positions.insert_ends(&page.messages);
        Ok(ListMessagesResponse {
            messages: self
                .present_messages(caller.community, page.messages)
                .await?,
            next_page_token: page
                .next
                .map(|next| page::encode(&next))
                .unwrap_or_default(),
        })
    }

    /// Looks up the records that a request names.
    async fn named(&self, caller: &Caller, request: &ListMessagesRequest) -> Result<Named> {
        let mut named = Named::default();
        if !request.channel.is_empty() {
            named.channel = Some(self.readable_channel(caller, &request.channel).await?);
        }
        if let Some(parent) = &request.parent {
            let (parent, channel) = self
                .readable_message(caller, "parent", Some(parent.clone()))
                .await?;
            if named
                .channel
                .as_ref()
                .is_some_and(|named| named.id != channel.id)
            {
                return Err(message_not_found());
            }
            (named.parent, named.channel) = (Some(parent.id), Some(channel));
        }
        if !request.topic_id.is_empty() {
            let channel = match named.channel {
                Some(channel) => channel,
                None => self.channel_of_topic(caller, &request.topic_id).await?,
            };
            named.topic = Some(
                self.0
                    .channels
                    .topic_of(&channel, &request.topic_id)
                    .await?
                    .id,
            );
            named.channel = Some(channel);
        }
        if !request.user.is_empty() {
            let directory = &self.0.directory;
            let user = directory
                .resolve(caller.community, "user", &request.user)
                .await?;
            named.user = Some(user.id);
        }
        Ok(named)
    }

    async fn channel_of_topic(&self, caller: &Caller, id: &str) -> Result<Arc<Channel>> {
        let (channels, community) = (&self.0.channels, caller.community);
        let topic = channels
            .topic(community, id::parse("topic_id", id)?)
            .await?;
        let channel = channels.get(community, topic.channel_id).await?;
        may_read(&caller.authority, &channel).map_err(hide_channel)?;
        Ok(channel)
    }
}

fn filter(caller: &Caller, named: &Named, request: &ListMessagesRequest) -> Filter {
    Filter {
        channel: named.channel.as_ref().map(|channel| channel.id),
        channels: match caller.channels() {
            ChannelLimit::Any => None,
            ChannelLimit::Only(channels) => Some(Arc::clone(channels)),
        },
        topic: named.topic,
        user: named.user,
        top_level_only: request.top_level_only,
        include_encrypted: request.include_encrypted,
    }
}
