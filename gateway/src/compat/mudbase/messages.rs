//! Messages of the Mudbase facade (contract: mudbase, "2. Messages").

use axum::{Json, extract::State};
use guildhall_proto::messaging::v1::{
    ListMessagesRequest, Message, MessageCursor, ReplyMessageRequest, SendMessageRequest,
    message_cursor::Position,
};
use guildhall_runtime::{Error, Reason, Timestamp};
use guildhall_types::{MessageId, id};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ChatPath, FIELDS, message_in, parameters,
    resource::{ChatMessage, Content, NewChatMessage, SentMessage},
};
use crate::{
    bounded::Bounded,
    call::{Call, Replayed},
    endpoint::Endpoint,
    envelope::mudbase::Mudbase,
    extract::{Input, Query, Segments},
    failure::{Failure, Result, sent},
    listing::{self, Part},
    sample,
    schema::Moment,
    upstream::{Messages, Services},
};

/// Messages per page when nothing is said.
const LIMIT: usize = 50;
/// How deep pages reach; `before` goes on from there.
const MAX_DEPTH: usize = 1_000;

pub fn endpoints() -> Vec<Endpoint> {
    let endpoints = vec![
        Endpoint::new("mb-messages-list", list, || page(vec![sample::message()], 1))
            .about("The messages of a chat, newest first.")
            .calls("/guildhall.messaging.v1.MessageService/ListMessages"),
        Endpoint::taking("mb-messages-send", send, NewChatMessage::example, || stored(sample::message()))
            .about("Sends a message as the caller, or replies to one. It is on disk when the answer comes.")
            .calls("/guildhall.messaging.v1.MessageService/SendMessage"),
    ];
    let refusing = |endpoint: Endpoint| {
        endpoint
            .naming(FIELDS)
            .parameters(parameters)
            .refusing(&[Reason::CommunityNotFound, Reason::ChannelNotFound])
    };
    endpoints.into_iter().map(refusing).collect()
}

fn page(messages: Vec<Message>, total: i64) -> Mudbase<ChatMessages> {
    let messages = messages.into_iter().map(Into::into).collect();
    Mudbase::new(ChatMessages { messages, total })
}

fn stored(message: Message) -> Mudbase<SentMessage> {
    Mudbase::new(message.into())
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// 1 when left out; pages reach 1,000 messages deep, `before` goes on from there.
    #[param(inline)]
    page: Option<Bounded<1, 1_000>>,
    /// 50 when left out. Without `page` there are more when several messages have the time of the last.
    #[param(inline)]
    limit: Option<Bounded<1, 100>>,
    /// Only what is older than this ISO-8601 time.
    #[param(value_type = Option<Moment>, inline)]
    before: Option<String>,
    /// Only what is newer than this ISO-8601 time.
    #[param(value_type = Option<Moment>, inline)]
    after: Option<String>,
}

/// A page in numbers: how many messages to pass over, and how many to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    skip: usize,
    take: usize,
}

impl ListQuery {
    fn slice(&self) -> Result<Slice> {
        let take = self.limit.map_or(LIMIT, Bounded::size);
        let page = self.page.map_or(1, Bounded::size);
        let last = MAX_DEPTH / take;
        if page > last {
            let message = format!(
                "page must be at most {last} with {take} messages a page: go on with before"
            );
            return Err(Failure::out_of_range("page", message));
        }
        Ok(Slice {
            skip: (page - 1) * take,
            take,
        })
    }
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let parse = |text| {
        let message = format!("{field} must be an ISO-8601 time");
        Timestamp::parse_iso(text).ok_or_else(|| Error::invalid(field, message))
    };
    Ok(text.map(parse).transpose()?)
}

/// A page of messages, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MudbaseMessageList)]
struct ChatMessages {
    messages: Vec<ChatMessage>,
    /// The number of messages ever sent in the chat.
    total: i64,
}

async fn list(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChatPath>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Mudbase<ChatMessages>>> {
    let slice = query.slice()?;
    let before = moment("before", query.before.as_deref())?;
    let after = moment("after", query.after.as_deref())?;
    let chat = path.chat(&services, &call).await?;
    let wanted = ListMessagesRequest {
        channel: chat.id,
        before: before.map(|time| MessageCursor {
            position: Some(Position::Time(time.into())),
        }),
        include_encrypted: true,
        // Who does not go by numbers goes on from the time of the last message.
        whole_moments: query.page.is_none(),
        ..ListMessagesRequest::default()
    };
    let messages = fetch(&services, &call, wanted, after, slice).await?;
    Ok(Json(page(messages, chat.last_seq)))
}

/// The messages of a slice of those after a time, newest first. Pages by number are walked, which
/// is why their depth is bounded; the service would begin with the oldest after a time.
async fn fetch(
    services: &Services,
    call: &Call,
    wanted: ListMessagesRequest,
    after: Option<Timestamp>,
    slice: Slice,
) -> Result<Vec<Message>> {
    let messages = services.client::<Messages>();
    let part = Part::exactly(slice.skip, slice.take);
    let listed = listing::messages(&messages, call, wanted, part).await?;
    let messages = listed.messages.into_iter();
    Ok(messages
        .filter(|message| is_after(message, after))
        .collect())
}

fn is_after(message: &Message, time: Option<Timestamp>) -> bool {
    match (time, &message.create_time) {
        (Some(time), Some(created)) => Timestamp::from(created) > time,
        (None, _) | (_, None) => true,
    }
}

async fn send(
    State(services): State<Services>,
    call: Call,
    Segments(path): Segments<ChatPath>,
    Input(new): Input<NewChatMessage>,
) -> Result<(StatusCode, Replayed, Json<Mudbase<SentMessage>>)> {
    let parent = new.reply_to.as_deref();
    let parent = parent
        .map(|text| id::parse::<MessageId>("replyTo", text))
        .transpose()?;
    let content = new.content()?;
    let chat = path.chat(&services, &call).await?;
    let (replayed, message) = store(&services, &call, &chat.id, parent, content).await?;
    let message = sent(message, "the stored message")?;
    Ok((StatusCode::CREATED, replayed, Json(stored(message))))
}

async fn store(
    services: &Services,
    call: &Call,
    chat: &str,
    parent: Option<MessageId>,
    content: Content,
) -> Result<(Replayed, Option<Message>)> {
    Ok(match parent {
        None => {
            let request = call.request(SendMessageRequest {
                channel: chat.to_owned(),
                text: content.text,
                kind: content.kind.into(),
                details: Some(content.details),
                ..SendMessageRequest::default()
            });
            let answer = services.client::<Messages>().send_message(request).await?;
            (Replayed::of(&answer), answer.into_inner().message)
        }
        Some(parent) => {
            let request = call.request(ReplyMessageRequest {
                message: message_in(chat, parent),
                text: content.text,
                kind: content.kind.into(),
                details: Some(content.details),
                ..ReplyMessageRequest::default()
            });
            let answer = services.client::<Messages>().reply_message(request).await?;
            (Replayed::of(&answer), answer.into_inner().message)
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(page: Option<i64>, limit: Option<i64>) -> ListQuery {
        ListQuery {
            page: page.map(|page| Bounded::new(page).unwrap()),
            limit: limit.map(|limit| Bounded::new(limit).unwrap()),
            before: None,
            after: None,
        }
    }

    #[test]
    fn the_first_fifty_are_the_default() {
        assert_eq!(
            query(None, None).slice().unwrap(),
            Slice { skip: 0, take: 50 }
        );
        assert_eq!(
            query(Some(10), Some(100)).slice().unwrap(),
            Slice {
                skip: 900,
                take: 100
            }
        );
    }

    proptest! {
        #[test]
        fn a_slice_is_bounded_or_refused(page in 1_i64..=1_000, limit in 1_i64..=100) {
            match query(Some(page), Some(limit)).slice() {
                Ok(slice) => prop_assert!(slice.skip + slice.take <= MAX_DEPTH),
                Err(_) => prop_assert!(page * limit > 1_000),
            }
        }
    }
}
