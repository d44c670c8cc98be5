//! Notifies the live streams of a channel of new messages: one signal listener per process, however
//! many streams there are.
//!
//! With a bus, messages that other replicas stored notify them, too. While the broker is away such
//! notifications would be missed, so streams end with an error instead of falling silent.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use guildhall_data::ChannelId;
use guildhall_runtime::{Error, Reason, Result};
use guildhall_signals::{Coverage, MessagesStored, Signals, Subscription};
use parking_lot::Mutex;
use tokio::sync::watch;

/// How long a new stream waits for the broker.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest outage of the broker that open streams survive.
const MAX_OUTAGE: Duration = Duration::from_secs(3);

/// Notifications of new messages, per channel.
#[derive(Debug, Clone)]
pub struct NewMessages(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    channels: Mutex<HashMap<ChannelId, watch::Sender<()>>>,
    coverage: watch::Receiver<Coverage>,
    /// Whether the broker has been away for longer than streams survive.
    lost: watch::Sender<bool>,
    _subscriptions: [Subscription; 2],
}

impl NewMessages {
    /// Starts to listen to `signals`.
    #[must_use]
    pub fn listen(signals: &Signals) -> Self {
        let inner = Arc::new_cyclic(|inner| Inner {
            channels: Mutex::default(),
            coverage: signals.watch_coverage(),
            lost: watch::Sender::new(false),
            _subscriptions: Inner::listen(inner, signals),
        });
        let coverage = signals.watch_coverage();
        tokio::spawn(watch_outages(coverage, Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Subscribes to the messages of a channel that are stored from now on.
    ///
    /// # Errors
    /// UNREACHABLE when the broker cannot be reached within a second.
    pub async fn subscribe(&self, channel: ChannelId) -> Result<Notifications> {
        let mut coverage = self.0.coverage.clone();
        let reached = coverage.wait_for(|coverage| *coverage != Coverage::Broken);
        match tokio::time::timeout(SUBSCRIBE_TIMEOUT, reached).await {
            Ok(Ok(_)) => Ok(self.0.subscribe(channel)),
            Ok(Err(_)) | Err(_) => Err(broker_away()),
        }
    }
}

/// The error of streams that cannot begin, or end, because the broker is away.
#[must_use]
pub fn broker_away() -> Error {
    Error::unavailable(
        Reason::Unreachable,
        "Live updates are unavailable: the broker cannot be reached; list messages instead, or watch again after the last seq",
    )
}

/// Tells open streams of outages that are too long to survive.
async fn watch_outages(mut coverage: watch::Receiver<Coverage>, inner: Weak<Inner>) {
    let broken = |coverage: &Coverage| *coverage == Coverage::Broken;
    while coverage.wait_for(broken).await.is_ok() {
        let back = coverage.wait_for(|coverage| !broken(coverage));
        if tokio::time::timeout(MAX_OUTAGE, back).await.is_ok() {
            continue;
        }
        let Some(inner) = inner.upgrade() else { return };
        inner.lost.send_replace(true);
        // An error means that the sender is gone, and nothing will come back.
        let _ = coverage.wait_for(|coverage| !broken(coverage)).await;
        inner.lost.send_replace(false);
    }
}

impl Inner {
    fn listen(inner: &Weak<Self>, signals: &Signals) -> [Subscription; 2] {
        let (one, all) = (inner.clone(), inner.clone());
        [
            signals.subscribe(move |stored: &MessagesStored| {
                if let Some(inner) = one.upgrade() {
                    inner.notify(stored.channel);
                }
            }),
            signals.subscribe_missed(move || {
                if let Some(inner) = all.upgrade() {
                    inner.notify_all();
                }
            }),
        ]
    }

    fn subscribe(self: &Arc<Self>, channel: ChannelId) -> Notifications {
        let mut channels = self.channels.lock();
        let waiting = channels
            .entry(channel)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Notifications {
            channel,
            waiting,
            lost: self.lost.subscribe(),
            inner: Arc::clone(self),
        }
    }

    fn notify(&self, channel: ChannelId) {
        if let Some(waiting) = self.channels.lock().get(&channel) {
            waiting.send_replace(());
        }
    }

    fn notify_all(&self) {
        for waiting in self.channels.lock().values() {
            waiting.send_replace(());
        }
    }
}

/// See [`NewMessages::subscribe`].
#[derive(Debug)]
pub struct Notifications {
    channel: ChannelId,
    waiting: watch::Receiver<()>,
    lost: watch::Receiver<bool>,
    inner: Arc<Inner>,
}

impl Notifications {
    /// Resolves to true when messages were stored since the last call, or may have been; to false
    /// when later ones would be missed.
    pub async fn next(&mut self) -> bool {
        // The senders live as long as their subscriptions.
        tokio::select! {
            _ = self.waiting.changed() => true,
            _ = self.lost.wait_for(|lost| *lost) => false,
        }
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        let mut channels = self.inner.channels.lock();
        let is_last = channels
            .get(&self.channel)
            .is_some_and(|sender| sender.receiver_count() <= 1);
        if is_last {
            channels.remove(&self.channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscription_is_notified_of_its_channel_and_of_missed_signals() {
        let signals = Signals::default();
        let new_messages = NewMessages::listen(&signals);
        let (channel, other) = (ChannelId::generate(), ChannelId::generate());
        let (mut notifications, mut others) = (
            new_messages.subscribe(channel).await.unwrap(),
            new_messages.subscribe(other).await.unwrap(),
        );
        signals.send(MessagesStored { channel: other });
        others.next().await;
        assert!(
            !notifications.waiting.has_changed().unwrap(),
            "notified of another channel's message"
        );
        signals.send(MessagesStored { channel });
        notifications.next().await;
        signals.send_missed();
        notifications.next().await;
    }

    #[tokio::test]
    async fn nothing_is_kept_without_subscriptions() {
        let new_messages = NewMessages::listen(&Signals::default());
        let channel = ChannelId::generate();
        let first = new_messages.subscribe(channel).await.unwrap();
        let second = new_messages.subscribe(channel).await.unwrap();
        drop(first);
        assert_eq!(new_messages.0.channels.lock().len(), 1);
        drop(second);
        assert!(new_messages.0.channels.lock().is_empty());
    }
}
