//! The facade's way of listing: what lies before and after a point (contract: sendbird,
//! "sb-messages-list").

use guildhall_proto::messaging::v1::{
    GetMessageRequest, ListMessagesRequest, Message, MessageCursor, message_cursor::Position,
};
use guildhall_runtime::{Error, ErrorKind, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{FoundChannel, extras::Wanted, member};
use crate::{
    bounded::{AtLeast, Bounded},
    call::Call,
    extract::one_value,
    failure::Result,
    listing::{self, Part},
    upstream::{Messages, Services},
};

/// Messages at the point that are asked for at once.
const AT_POINT: usize = 200;
/// Messages on either side when nothing is said.
const SIDE: usize = 15;

/// What to list. Filters that the platform does not have are refused, not ignored.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WindowQuery {
    /// The point, in Unix milliseconds. This or `message_id`.
    #[param(inline)]
    message_ts: Option<AtLeast<0>>,
    /// The point, as a message; 0 counts as left out. It wins over `message_ts` when it is in the channel.
    #[param(inline)]
    message_id: Option<AtLeast<0>>,
    /// How many before the point, 0 to 200; 15 when left out. There are more when several messages have
    /// the time of the first one.
    #[param(inline)]
    prev_limit: Option<Bounded<0, 200>>,
    /// How many after the point, as `prev_limit`.
    #[param(inline)]
    next_limit: Option<Bounded<0, 200>>,
    /// Whether to list what is at the point; true when left out.
    include: Option<bool>,
    /// Newest first; false when left out.
    reverse: Option<bool>,
    /// Only messages of this member.
    sender_id: Option<String>,
    /// The same; one member.
    #[param(pattern = "^[^,]*$")]
    sender_ids: Option<String>,
    /// Only replies to this message.
    #[param(inline)]
    parent_message_id: Option<AtLeast<1>>,
    /// `NONE` (when left out): no replies. `ALL`: replies, too.
    #[param(value_type = Option<String>, pattern = "^(NONE|ALL)$")]
    include_reply_type: Option<ReplyType>,
    include_reactions: Option<bool>,
    include_thread_info: Option<bool>,
    include_parent_message_info: Option<bool>,
    with_sorted_meta_array: Option<bool>,
    /// `all`
    #[param(pattern = "^all$")]
    operator_filter: Option<String>,
    /// `*`
    #[param(pattern = r"^\*$")]
    custom_types: Option<String>,
    #[param(ignore)]
    message_type: Option<String>,
    #[param(ignore)]
    user_id: Option<String>,
    #[param(ignore)]
    show_subchannel_messages_only: Option<bool>,
}

/// Which replies a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ReplyType {
    None,
    All,
    /// Not available yet: refused.
    OnlyReplyToChannel,
}

/// What a query asks for.
#[derive(Debug)]
pub struct Window {
    /// The filters, without a point.
    base: ListMessagesRequest,
    point: MessageCursor,
    prev: usize,
    next: usize,
    include: bool,
    reverse: bool,
}

/// A query that makes sense.
#[derive(Debug)]
pub struct CheckedQuery {
    query: WindowQuery,
    sender: String,
}

impl WindowQuery {
    /// Checks what does not depend on the channel.
    pub fn checked(&self) -> Result<CheckedQuery> {
        self.refuse_unsupported()?;
        if self.message_ts.is_none() && self.message_number().is_none() {
            return Err(Error::missing("message_ts").into());
        }
        Ok(CheckedQuery {
            sender: self.sender()?.map(member).unwrap_or_default(),
            query: self.clone(),
        })
    }

    fn message_number(&self) -> Option<i64> {
        self.message_id
            .map(AtLeast::get)
            .filter(|number| *number > 0)
    }

    /// What to show beside the messages.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            reactions: self.include_reactions.unwrap_or(false),
            thread: self.include_thread_info.unwrap_or(false),
            parent: self.include_parent_message_info.unwrap_or(false),
            metaarray: self.with_sorted_meta_array.unwrap_or(false),
        }
    }

    fn sender(&self) -> Result<Option<&str>> {
        let ids = self.sender_ids.as_deref();
        if ids.is_some_and(|ids| ids.contains(',')) {
            return unsupported("sender_ids", "one member");
        }
        one_value("sender_ids", self.sender_id.as_deref(), ids)
    }

    fn refuse_unsupported(&self) -> Result<()> {
        if self
            .operator_filter
            .as_deref()
            .is_some_and(|filter| filter != "all")
        {
            return unsupported("operator_filter", "all");
        }
        if self
            .custom_types
            .as_deref()
            .is_some_and(|types| types != "*")
        {
            return unsupported("custom_types", "*");
        }
        if self.message_type.is_some() {
            return unsupported("message_type", "");
        }
        if self.user_id.is_some() {
            return unsupported("user_id", "");
        }
        if self.show_subchannel_messages_only == Some(true) {
            return unsupported("show_subchannel_messages_only", "false");
        }
        if self.include_reply_type == Some(ReplyType::OnlyReplyToChannel) {
            return unsupported("include_reply_type", "NONE or ALL");
        }
        Ok(())
    }
}

fn unsupported<T>(field: &str, taken: &str) -> Result<T> {
    let message = match taken {
        "" => format!("{field} is not supported"),
        taken => format!("{field} can only be {taken} here"),
    };
    Err(Error::invalid(field, message).into())
}

impl CheckedQuery {
    /// What is asked for in a channel.
    pub async fn window(
        self,
        services: &Services,
        call: &Call,
        channel: &FoundChannel,
    ) -> Result<Window> {
        let Self { query, sender } = self;
        let parent = query.parent_message_id.map(AtLeast::get);
        let replies = query.include_reply_type.unwrap_or(ReplyType::None);
        let top_level_only = parent.is_none() && replies == ReplyType::None;
        let position = query.point(services, call, channel).await?;
        Ok(Window {
            base: ListMessagesRequest {
                channel: channel.id.clone(),
                user: sender,
                parent: parent.and_then(|number| channel.message(number)),
                top_level_only,
                // Who asks by time goes on from the time of a message.
                whole_moments: matches!(position, Position::Time(_)),
                ..ListMessagesRequest::default()
            },
            point: MessageCursor {
                position: Some(position),
            },
            prev: query.prev_limit.map_or(SIDE, Bounded::size),
            next: query.next_limit.map_or(SIDE, Bounded::size),
            include: query.include.unwrap_or(true),
            reverse: query.reverse.unwrap_or(false),
        })
    }
}

impl WindowQuery {
    /// The message, when it is in the channel or nothing else is said; else the time. The vendor's own
    /// clients always send both.
    async fn point(
        &self,
        services: &Services,
        call: &Call,
        channel: &FoundChannel,
    ) -> Result<Position> {
        let time = self.message_ts.map(|millis| {
            let time = Timestamp::from_millis(millis.get());
            Position::Time(time.into())
        });
        match (self.message_number(), time) {
            (None, time) => Ok(time.ok_or_else(|| Error::missing("message_ts"))?),
            (Some(number), None) => Ok(Position::MessageNumber(number)),
            (Some(number), Some(time)) => match is_in(services, call, channel, number).await? {
                true => Ok(Position::MessageNumber(number)),
                false => Ok(time),
            },
        }
    }
}

async fn is_in(
    services: &Services,
    call: &Call,
    channel: &FoundChannel,
    number: i64,
) -> Result<bool> {
    let request = call.request(GetMessageRequest {
        message: channel.message(number),
    });
    let answer = services.client::<Messages>().get_message(request).await;
    match answer.map_err(Error::from) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Window {
    /// The messages, oldest first unless asked otherwise.
    pub async fn fetch(self, services: &Services, call: &Call) -> Result<Vec<Message>> {
        let at = Some(self.point.clone());
        let before = ListMessagesRequest {
            before: at.clone(),
            ..self.base.clone()
        };
        let exactly = ListMessagesRequest {
            before: at.clone(),
            after: at.clone(),
            inclusive: true,
            ..self.base.clone()
        };
        let after = ListMessagesRequest {
            after: at,
            ..self.base
        };
        let at_point = if self.include { AT_POINT } else { 0 };
        let messages = services.client::<Messages>();
        let (before, exactly, after) = futures::try_join!(
            listing::messages(&messages, call, before, Part::exactly(0, self.prev)),
            listing::messages(&messages, call, exactly, Part::exactly(0, at_point)),
            listing::messages(&messages, call, after, Part::exactly(0, self.next)),
        )?;
        let mut messages = [after.messages, exactly.messages, before.messages].concat();
        if !self.reverse {
            messages.reverse();
        }
        Ok(messages)
    }
}
