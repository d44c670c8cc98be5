//! The facade's way of listing: what lies before and after a point (contract: sendbird,
//! "sb-messages-list").

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, Message, MessageCursor, message_cursor::Position,
};
use guildhall_runtime::{Error, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ChannelRef, extras::Wanted, member, positive};
use crate::{
    call::Call,
    failure::{Failure, Result},
    listing,
    upstream::{Messages, Services},
};

/// The most messages on either side.
const MAX_SIDE: usize = 200;
/// Messages on either side when nothing is said.
const SIDE: usize = 15;

/// What to list. Filters that the platform does not have are refused, not ignored.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WindowQuery {
    /// The point, in Unix milliseconds. This or `message_id`.
    #[param(minimum = 0)]
    message_ts: Option<i64>,
    /// The point, as a message. This or `message_ts`.
    #[param(minimum = 1)]
    message_id: Option<i64>,
    /// How many before the point, 0 to 200; 15 when left out.
    #[param(minimum = 0, maximum = 200)]
    prev_limit: Option<i64>,
    /// How many after the point, 0 to 200; 15 when left out.
    #[param(minimum = 0, maximum = 200)]
    next_limit: Option<i64>,
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
    #[param(minimum = 1)]
    parent_message_id: Option<i64>,
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

impl WindowQuery {
    /// What is asked for in `channel_ref`.
    pub fn window(&self, channel_ref: &ChannelRef) -> Result<Window> {
        self.refuse_unsupported()?;
        let parent = self.parent_message_id;
        let parent = parent
            .map(|number| positive("parent_message_id", number))
            .transpose()?;
        let top_level_only = parent.is_none()
            && self.include_reply_type.unwrap_or(ReplyType::None) == ReplyType::None;
        Ok(Window {
            base: ListMessagesRequest {
                channel: channel_ref.channel.clone(),
                user: self.sender()?.map(member).unwrap_or_default(),
                parent: parent.and_then(|number| channel_ref.message(number)),
                top_level_only,
                ..ListMessagesRequest::default()
            },
            point: self.point()?,
            prev: side("prev_limit", self.prev_limit)?,
            next: side("next_limit", self.next_limit)?,
            include: self.include.unwrap_or(true),
            reverse: self.reverse.unwrap_or(false),
        })
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

    fn point(&self) -> Result<MessageCursor> {
        let position = match (self.message_ts, self.message_id) {
            (None, None) => return Err(Error::missing("message_ts").into()),
            (Some(_), Some(_)) => {
                let message = "message_ts and message_id exclude each other";
                return Err(Error::invalid("message_ts", message).into());
            }
            (Some(millis), None) if millis < 0 => {
                let message = "message_ts must not be negative";
                return Err(Error::invalid("message_ts", message).into());
            }
            (Some(millis), None) => Position::Time(Timestamp::from_millis(millis).into()),
            (None, Some(number)) => Position::MessageNumber(positive("message_id", number)?),
        };
        Ok(MessageCursor {
            position: Some(position),
        })
    }

    fn sender(&self) -> Result<Option<&str>> {
        let ids = self.sender_ids.as_deref();
        if ids.is_some_and(|ids| ids.contains(',')) {
            return unsupported("sender_ids", "one member");
        }
        Ok(self.sender_id.as_deref().or(ids))
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
            return unsupported("message_type", "nothing");
        }
        if self.user_id.is_some() {
            return unsupported("user_id", "nothing");
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
    Err(Error::invalid(field, format!("{field} can only be {taken} here")).into())
}

fn side(field: &str, limit: Option<i64>) -> Result<usize> {
    match limit.map(usize::try_from) {
        None => Ok(SIDE),
        Some(Ok(limit @ 0..=MAX_SIDE)) => Ok(limit),
        Some(Ok(_) | Err(_)) => {
            let message = format!("{field} must be 0 to {MAX_SIDE}");
            Err(Failure::out_of_range(field, message))
        }
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
        let at_point = if self.include { MAX_SIDE } else { 0 };
        let messages = services.client::<Messages>();
        let (before, exactly, after) = futures::try_join!(
            listing::messages(&messages, call, before, self.prev),
            listing::messages(&messages, call, exactly, at_point),
            listing::messages(&messages, call, after, self.next),
        )?;
        let mut messages = [after.messages, exactly.messages, before.messages].concat();
        if !self.reverse {
            messages.reverse();
        }
        Ok(messages)
    }
}
