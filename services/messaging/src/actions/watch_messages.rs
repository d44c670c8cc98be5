//! Streams the messages of a channel as they are stored.

use std::{future::Future, pin::Pin, sync::LazyLock, time::Duration};

use guildhall_auth::{CallerExt, Credential};
use guildhall_data::{ChannelId, CommunityId};
use guildhall_proto::messaging::v1::{WatchMessagesRequest, WatchMessagesResponse};
use guildhall_runtime::{
    Error, Reason, Result, Timestamp,
    metrics::{self, Gauge, Open},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::{Instrument, Span};

use crate::{
    Messaging,
    new_messages::{Notifications, broker_away},
    store::{channels, messages},
};

/// Messages that wait for the client, beside the page that was read for it.
const BUFFER: usize = 1;
/// Messages that are read at a time.
const PAGE: usize = 100;
/// What they hold at most, in bytes.
const PAGE_BYTES: usize = 64 * 1024;

static STREAMS: LazyLock<Gauge> =
    LazyLock::new(|| metrics::gauge("guildhall_streams_open", "Live streams of messages"));

/// The stream of [`Messaging::watch_messages`].
pub(crate) type MessageStream = ReceiverStream<Result<WatchMessagesResponse, Status>>;

/// A stream, and the `seq` that it has reached.
struct Watch {
    messaging: Messaging,
    community: CommunityId,
    channel: ChannelId,
    seq: i64,
    notifications: Notifications,
    /// Messages that are read next.
    page: usize,
    client: mpsc::Sender<Result<WatchMessagesResponse, Status>>,
    _open: Open,
}

impl Messaging {
    /// Streams the messages of a channel until the credential expires, the process stops, or the
    /// broker is away for too long.
    ///
    /// # Errors
    /// CHANNEL_NOT_FOUND, CHANNEL_NOT_ALLOWED, INVALID_VALUE for a negative `after_seq`, UNREACHABLE
    /// while the broker is away.
    pub(crate) async fn watch_messages(
        &self,
        request: Request<WatchMessagesRequest>,
    ) -> Result<Response<MessageStream>> {
        let (caller, request) = (request.caller()?, request.into_inner());
        let channel = self.readable_channel(&caller, &request.channel).await?;
        // Subscribe before reading, so that nothing in between is missed.
        let notifications = self.0.new_messages.subscribe(channel.id).await?;
        let seq = match request.after_seq {
            Some(seq) if seq < 0 => {
                return Err(Error::invalid(
                    "after_seq",
                    "after_seq must not be negative",
                ));
            }
            Some(seq) => seq,
            None => {
                let connection = self.0.database.reader();
                channels::last_seq(connection, caller.community, channel.id).await?
            }
        };
        let (client, stream) = mpsc::channel(BUFFER);
        let watch = Watch {
            messaging: self.clone(),
            community: caller.community,
            channel: channel.id,
            seq,
            notifications,
            page: PAGE,
            client,
            _open: Open::count(&STREAMS),
        };
        let watching = watch.run(ended(self, caller.expires_at));
        tokio::spawn(watching.instrument(Span::current()));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Resolves to the reason when a stream has to end.
fn ended(
    messaging: &Messaging,
    expires_at: Option<Timestamp>,
) -> Pin<Box<dyn Future<Output = Error> + Send>> {
    let stopped = messaging.0.shutdown.started();
    let left = expires_at.map(|at| at.as_millis() - Timestamp::now().as_millis());
    Box::pin(async move {
        let expired = async {
            match left {
                Some(left) => {
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    tokio::time::sleep(left).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Not a failure: clients then watch at another replica.
            () = stopped => Error::unavailable(
                Reason::Unreachable,
                "The service is stopping, watch again after the last seq",
            )
            .not_to_be_logged(),
            () = expired => Credential::invalid(),
        }
    })
}

impl Watch {
    async fn run(mut self, ended: Pin<Box<dyn Future<Output = Error> + Send>>) {
        let client = self.client.clone();
        let error = tokio::select! {
            error = ended => error,
            () = client.closed() => return,
            error = self.follow() => error,
        };
        // Waits for a slow client only while it keeps its stream open.
        let _ = client.send(Err(error.into())).await;
    }

    /// Sends stored messages and waits for more, until something fails.
    async fn follow(&mut self) -> Error {
        let mut subscribed = true;
        loop {
            match self.send_page().await {
                Ok(true) => {}
                Ok(false) if subscribed => subscribed = self.notifications.next().await,
                Ok(false) => return broker_away(),
                Err(error) => return error,
            }
        }
    }

    /// Sends the next messages; returns whether there may be more already.
    async fn send_page(&mut self) -> Result<bool> {
        // Nothing is read for a client that takes nothing.
        if self.client.reserve().await.is_err() {
            return Ok(false);
        }
        let (connection, size) = (self.messaging.0.database.reader(), self.page as u64);
        let (community, channel) = (self.community, self.channel);
        let mut rows = messages::list_after(connection, community, channel, self.seq, size).await?;
        let fitting = messages::that_fit(&rows, PAGE_BYTES);
        let more = rows.len() == self.page || fitting < rows.len();
        // Where messages are large, no more are read than fit.
        self.page = if fitting < rows.len() {
            fitting
        } else {
            PAGE.min(self.page * 2)
        };
        rows.truncate(fitting);
        for message in self
            .messaging
            .present_messages(self.community, rows)
            .await?
        {
            let seq = message.seq;
            let message = WatchMessagesResponse {
                message: Some(message),
            };
            if self.client.send(Ok(message)).await.is_err() {
                return Ok(false);
            }
            self.seq = seq;
        }
        Ok(more)
    }
}
