//! Lists of messages of a wanted length: a service's page may be short, or even empty, where few
//! messages match, and still have a next one.

use guildhall_proto::messaging::v1::{ListMessagesRequest, Message};
use guildhall_runtime::{Error, Reason};

use crate::{call::Call, failure::Result, upstream::Messages};

/// Messages per call of the service, at most.
const PAGE: usize = 200;
/// Calls for one list. A page looks at some thousand messages: what is rarer has to be narrowed.
const MAX_CALLS: usize = 20;

/// A part of a list.
#[derive(Debug, Default)]
pub struct Listed {
    /// Newest first.
    pub messages: Vec<Message>,
    /// Whether there are more in the direction of the listing.
    pub has_more: bool,
}

/// The first `count` messages of what `request` describes; fewer when there are no more, or when
/// they are too rare.
///
/// # Errors
/// INVALID_VALUE when they are so rare that none was found in reasonable time.
pub async fn messages(
    messages: &Messages,
    call: &Call,
    request: ListMessagesRequest,
    count: usize,
) -> Result<Listed> {
    let mut listed = Listed::default();
    let mut page_token = String::new();
    for _ in 0..MAX_CALLS {
        let missing = count.saturating_sub(listed.messages.len()).min(PAGE);
        if missing == 0 {
            return Ok(listed);
        }
        let page = call.request(ListMessagesRequest {
            page_size: i32::try_from(missing).unwrap_or_default(),
            page_token,
            ..request.clone()
        });
        let page = messages.clone().list_messages(page).await?.into_inner();
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
