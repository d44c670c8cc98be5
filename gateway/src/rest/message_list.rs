//! Pages of messages (contract: messaging, "messages-list").

use std::str::FromStr;

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, MessageCursor, message_cursor::Position,
};
use guildhall_runtime::{Error, Timestamp};
use guildhall_types::{
    ChannelId, MessageId, TopicId,
    id::{self, MalformedId},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::message_item::{MessageItem, by_id};
use crate::{
    bounded::Bounded,
    failure::Result,
    listing::Listed,
    schema::{IdOrTime, ObjectId, UserReference},
};

/// Messages per page when nothing is said.
const COUNT: usize = 10;

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only messages of this author: their numeric id.
    #[param(value_type = Option<UserReference>, inline)]
    user_id: Option<String>,
    /// Only messages of the author with this e-mail address, instead of `user_id`.
    #[param(pattern = r"^[^\x00]*@[^\x00]*$", max_length = 320)]
    email: Option<String>,
    /// Only this channel. Left out: all channels that the key may read, direct messages not.
    #[param(value_type = Option<ObjectId>, inline)]
    channel_id: Option<String>,
    /// So many; 10 when left out. There may be fewer when they are large, and then `hasMore` says that
    /// there are more. Unless a message id says where to go on, there are more when several messages have the time of
    /// the last.
    #[param(inline)]
    count: Option<Bounded<1, 100>>,
    /// Only what is older than this message id or ISO-8601 time.
    #[param(value_type = Option<IdOrTime>, inline)]
    before: Option<String>,
    /// Only what is newer than this message id or ISO-8601 time, the oldest of it.
    #[param(value_type = Option<IdOrTime>, inline)]
    after: Option<String>,
    /// Only replies to this message.
    #[param(value_type = Option<ObjectId>, inline)]
    parent_id: Option<String>,
    /// Only this topic of a forum channel.
    #[param(value_type = Option<ObjectId>, inline)]
    forum_topic_id: Option<String>,
}

impl ListQuery {
    /// What the service is asked for.
    pub fn filters(&self) -> Result<ListMessagesRequest> {
        let before = cursor("before", self.before.as_deref())?;
        let after = cursor("after", self.after.as_deref())?;
        let channel = parsed::<ChannelId>("channel_id", self.channel_id.as_deref())?;
        let parent = parsed::<MessageId>("parent_id", self.parent_id.as_deref())?;
        let topic = parsed::<TopicId>("forum_topic_id", self.forum_topic_id.as_deref())?;
        Ok(ListMessagesRequest {
            channel: channel.map(|id| id.to_string()).unwrap_or_default(),
            user: self.author()?.unwrap_or_default().to_owned(),
            parent: parent.and_then(by_id),
            topic_id: topic.map(|id| id.to_string()).unwrap_or_default(),
            whole_moments: !(is_message(&before) || is_message(&after)),
            before,
            after,
            ..ListMessagesRequest::default()
        })
    }

    /// Whether it lists what is newer than a point.
    pub fn towards_newer(&self) -> bool {
        self.after.is_some()
    }

    fn author(&self) -> Result<Option<&str>> {
        match (self.user_id.as_deref(), self.email.as_deref()) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("email", "email and user_id exclude each other").into())
            }
            (None, Some(email)) if !email.contains('@') || email.contains('\0') => {
                Err(Error::invalid("email", "email must be an e-mail address").into())
            }
            (user, email) => Ok(user.or(email)),
        }
    }

    pub fn count(&self) -> usize {
        self.count.map_or(COUNT, Bounded::size)
    }
}

fn parsed<T: FromStr<Err = MalformedId>>(field: &str, text: Option<&str>) -> Result<Option<T>> {
    Ok(text.map(|text| id::parse(field, text)).transpose()?)
}

fn is_message(cursor: &Option<MessageCursor>) -> bool {
    let position = cursor.as_ref().and_then(|cursor| cursor.position.as_ref());
    matches!(position, Some(Position::MessageId(_)))
}

/// A message id or a time.
fn cursor(field: &str, text: Option<&str>) -> Result<Option<MessageCursor>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let position = match (text.parse::<MessageId>(), Timestamp::parse_iso(text)) {
        (Ok(id), _) => Position::MessageId(id.to_string()),
        (Err(_), Some(time)) => Position::Time(time.into()),
        (Err(_), None) => {
            let message = format!("{field} must be a message id or an ISO-8601 time");
            return Err(Error::invalid(field, message).into());
        }
    };
    Ok(Some(MessageCursor {
        position: Some(position),
    }))
}

/// A page of messages, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagePage {
    /// The number of messages in this answer.
    total: usize,
    messages: Vec<MessageItem>,
    /// Whether there are more in the direction of the listing.
    has_more: bool,
    /// `before` of the next older page; null at the beginning.
    #[schema(value_type = Option<ObjectId>)]
    next_before: Option<String>,
    /// `after` of the next newer page; null on an empty page: keep the one you have.
    #[schema(value_type = Option<ObjectId>)]
    next_after: Option<String>,
}

impl MessagePage {
    /// The page of an answer, listed towards newer messages or, as a rule, towards older ones.
    pub fn new(listed: Listed, towards_newer: bool) -> Self {
        let newest = listed.messages.first().map(|message| message.id.clone());
        let oldest = listed.messages.last().map(|message| message.id.clone());
        Self {
            total: listed.messages.len(),
            messages: listed.messages.into_iter().map(Into::into).collect(),
            has_more: listed.has_more,
            next_before: oldest.filter(|_| listed.has_more || towards_newer),
            next_after: newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_proto::messaging::v1::Message;
    use proptest::prelude::*;

    use super::*;

    fn position(text: &str) -> Option<Position> {
        cursor("before", Some(text)).ok()??.position
    }

    proptest! {
        #[test]
        fn every_message_id_and_every_time_is_a_cursor(
            id in "[0-9a-fA-F]{24}",
            millis in 0_i64..253_402_300_799_999,
        ) {
            prop_assert_eq!(position(&id), Some(Position::MessageId(id.to_lowercase())));
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(position(&time.to_iso()), Some(Position::Time(time.into())));
        }

        #[test]
        fn what_is_neither_is_refused_by_name(text in "[g-z ]{0,30}") {
            let refused = cursor("after", Some(&text)).unwrap_err().error;
            prop_assert_eq!(&refused.violations()[0].field, "after");
        }
    }

    fn page(ids: &[&str], has_more: bool, towards_newer: bool) -> MessagePage {
        let messages = ids.iter().map(|id| Message {
            id: (*id).to_owned(),
            ..Message::default()
        });
        let listed = Listed {
            messages: messages.collect(),
            has_more,
        };
        MessagePage::new(listed, towards_newer)
    }

    fn cursors(page: &MessagePage) -> (Option<&str>, Option<&str>) {
        (page.next_before.as_deref(), page.next_after.as_deref())
    }

    #[test]
    fn a_page_leads_on_in_both_directions() {
        assert_eq!(
            cursors(&page(&["c", "b"], true, false)),
            (Some("b"), Some("c"))
        );
        assert_eq!(cursors(&page(&["b", "a"], false, false)), (None, Some("b")));
        assert_eq!(
            cursors(&page(&["c", "b"], false, true)),
            (Some("b"), Some("c"))
        );
        assert_eq!(cursors(&page(&[], false, true)), (None, None));
    }
}
