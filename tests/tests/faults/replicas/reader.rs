//! Who pages through a list while others write to it.

use std::collections::HashSet;

use guildhall_proto::messaging::v1::{
    ListMessagesRequest, Message, MessageCursor, message_cursor::Position,
};
use tokio::sync::watch;

use super::fixture::{Fixture, Messages, Written, text_of};

/// Messages of a page: several pages in any list.
const PAGE: u8 = 17;
/// Before all messages.
const BEGINNING: &str = "2000-01-01T00:00:00.000Z";

/// What is listed.
#[derive(Debug, Clone)]
pub enum List {
    Channel(String),
    Author(&'static str),
    Community,
}

impl List {
    fn holds(&self, message: &Written) -> bool {
        match self {
            Self::Channel(channel) => *channel == message.channel,
            Self::Author(author) => *author == message.author,
            Self::Community => true,
        }
    }

    /// Whether `next` may stand right behind `message`.
    fn follows(&self, message: &Message, next: &Message) -> bool {
        match self {
            Self::Channel(_) => next.seq == message.seq + 1,
            Self::Author(_) | Self::Community => next.number > message.number,
        }
    }

    /// Its parameter over REST.
    fn parameter(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Channel(channel) => Some(("channel_id", channel.clone())),
            Self::Author(author) => Some(("email", format!("{author}@example.com"))),
            Self::Community => None,
        }
    }

    fn request(&self) -> ListMessagesRequest {
        let mut request = ListMessagesRequest {
            page_size: PAGE.into(),
            ..Default::default()
        };
        match self {
            Self::Channel(channel) => request.channel.clone_from(channel),
            Self::Author(author) => request.user = (*author).to_owned(),
            Self::Community => {}
        }
        request
    }
}

/// Who pages through a list again and again, each page through the next replica.
pub struct Reader {
    pub fixture: Fixture,
    pub list: List,
    pub oldest_first: bool,
}

impl Reader {
    /// Reads until all is over, and then once more; how often it came to the end of the list.
    pub async fn run(self, over: watch::Receiver<bool>) -> usize {
        let mut passes = 0;
        loop {
            let is_over = *over.borrow();
            let written = self.written();
            self.check(&written, &self.over_rest().await);
            let written = self.written();
            let messages = self.over_grpc().await;
            let in_order = messages.is_sorted_by(|a, b| self.list.follows(a, b));
            assert!(in_order, "{:?} is out of order: {messages:?}", self.list);
            let ids: Vec<_> = messages.into_iter().map(|message| message.id).collect();
            self.check(&written, &ids);
            passes += 2;
            if is_over {
                return passes;
            }
        }
    }

    /// What the list holds now, at least.
    fn written(&self) -> Vec<String> {
        let written = self.fixture.written.lock().unwrap();
        let mine = written.iter().filter(|message| self.list.holds(message));
        mine.map(|message| message.id.clone()).collect()
    }

    fn check(&self, written: &[String], read: &[String]) {
        let list = (&self.list, self.oldest_first);
        let once: HashSet<_> = read.iter().collect();
        assert_eq!(once.len(), read.len(), "{list:?} repeated something");
        let lost: Vec<_> = written.iter().filter(|id| !once.contains(id)).collect();
        assert!(lost.is_empty(), "{list:?} lost {lost:?}");
    }

    async fn over_rest(&self) -> Vec<String> {
        let (place, next) = match self.oldest_first {
            true => ("after", "next_after"),
            false => ("before", "next_before"),
        };
        let mut ids = Vec::new();
        let mut cursor = self.oldest_first.then(|| BEGINNING.to_owned());
        let parameter = self.list.parameter();
        for rest in self.fixture.rest.iter().cycle() {
            let mut query = vec![("count", PAGE.to_string())];
            query.extend(parameter.clone());
            query.extend(cursor.map(|cursor| (place, cursor)));
            let query: Vec<_> = query
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let call = rest.get("/v1/messages").query(&query);
            let answer = call.bearer(&self.fixture.key).send().await.expect(200);
            let page = &answer["data"];
            let messages = page["messages"].as_array().unwrap();
            ids.extend(messages.iter().map(|message| text_of(&message["id"])));
            if page["has_more"] != true {
                break;
            }
            cursor = Some(text_of(&page[next]));
        }
        ids
    }

    /// From the oldest to the newest, whatever the order of the pages.
    async fn over_grpc(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut request = self.list.request();
        if self.oldest_first {
            request.after = Some(MessageCursor {
                position: Some(Position::MessageNumber(0)),
            });
        }
        for replica in self.fixture.grpc.iter().cycle() {
            let page = self.page(replica.clone(), request.clone()).await;
            messages.extend(page.0);
            request.page_token = page.1;
            if request.page_token.is_empty() {
                break;
            }
        }
        if !self.oldest_first {
            messages.reverse();
        }
        messages
    }

    /// A page in the order of the listing, and the token of the next.
    async fn page(
        &self,
        mut replica: Messages,
        request: ListMessagesRequest,
    ) -> (Vec<Message>, String) {
        let request = self.fixture.signed(request);
        let page = replica.list_messages(request).await.unwrap().into_inner();
        let mut messages = page.messages;
        // Newest first on the wire, either way.
        if self.oldest_first {
            messages.reverse();
        }
        (messages, page.next_page_token)
    }
}
