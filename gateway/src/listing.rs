//! Lists of messages of a wanted length: a service's page may be short, or even empty, where few
//! messages match, and still have a next one.

use guildhall_proto::messaging::v1::{ListMessagesRequest, Message};
use guildhall_runtime::{Error, Reason};
use prost::Message as _;

use crate::{call::Call, failure::Result, upstream::Messages};

/// Messages per call of the service, at most.
const PAGE: usize = 200;
/// From how many bytes on a list that need not be complete gets no further page of a service, which
/// may hold 1 MiB.
const ENOUGH: usize = 512 * 1024;
/// Calls for one list. A page looks at some thousand messages: what is rarer has to be narrowed.
const MAX_CALLS: usize = 50;

/// A part of a list.
#[derive(Debug, Default)]
pub struct Listed {
    /// Newest first.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction of the listing.
    pub has_more: bool,
}

/// Which messages of a list are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    skip: usize,
    count: usize,
    max_bytes: usize,
}

impl Part {
    /// The first `count`, or fewer when they are large: for answers that say whether there are more.
    pub const fn up_to(count: usize) -> Self {
        Self {
            skip: 0,
            count,
            max_bytes: ENOUGH,
        }
    }

    /// The first `count` after `skip`, however large: for answers in which a short list is the end.
    pub const fn exactly(skip: usize, count: usize) -> Self {
        Self {
            skip,
            count,
            max_bytes: usize::MAX,
        }
    }
}

/// The messages that are wanted of what `request` describes; fewer when there are no more, or when
/// they are too rare.
///
/// # Errors
/// INVALID_VALUE when they are so rare that none was found in reasonable time.
pub async fn messages(
    messages: &Messages,
    call: &Call,
    request: ListMessagesRequest,
    part: Part,
) -> Result<Listed> {
    let mut listed = Listed::default();
    let mut page_token = String::new();
    let (mut skip, mut bytes) = (part.skip, 0);
    for _ in 0..MAX_CALLS {
        let missing = part.count.saturating_sub(listed.messages.len());
        if missing == 0 || bytes >= part.max_bytes {
            return Ok(listed);
        }
        let missing = (skip + missing).min(PAGE);
        let page = call.request(ListMessagesRequest {
            page_size: i32::try_from(missing).unwrap_or_default(),
            page_token,
            ..request.clone()
        });
        let mut page = messages.clone().list_messages(page).await?.into_inner();
        let skipped = skip.min(page.messages.len());
        page.messages.drain(..skipped);
        skip -= skipped;
        bytes += page
            .messages
            .iter()
            .map(Message::encoded_len)
            .sum::<usize>();
        listed.add(page.messages, request.after.is_some());
        listed.has_more = !page.next_page_token.is_empty();
        page_token = page.next_page_token;
        if !listed.has_more {
            return Ok(listed);
        }
    }
    if listed.messages.is_empty() {
        let message = "Too few messages match: narrow the list to a channel or another time";
        return Err(Error::new(Reason::InvalidValue, message).into());
    }
    Ok(listed)
}

impl Listed {
    /// Adds the next page: behind the others or, in a list towards newer messages, before them.
    fn add(&mut self, mut page: Vec<Message>, towards_newer: bool) {
        if towards_newer {
            page.append(&mut self.messages);
            self.messages = page;
        } else {
            self.messages.append(&mut page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_one_list_newest_first() {
        let page = |seqs: &[i64]| {
            let messages = seqs.iter().map(|seq| Message {
                seq: *seq,
                ..Message::default()
            });
            messages.collect::<Vec<_>>()
        };
        let seqs = |listed: Listed| listed.messages.iter().map(|m| m.seq).collect::<Vec<_>>();

        let mut older = Listed::default();
        older.add(page(&[9, 8]), false);
        older.add(page(&[7]), false);
        assert_eq!(seqs(older), [9, 8, 7]);

        let mut newer = Listed::default();
        newer.add(page(&[2, 1]), true);
        newer.add(page(&[3]), true);
        assert_eq!(seqs(newer), [3, 2, 1]);
    }
}
