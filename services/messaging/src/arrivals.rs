//! Wakes the live streams of a channel when messages were stored in it: one listener a process,
//! however many streams there are.
//!
//! Over a bus the messages of other replicas wake them, too. While the broker cannot be reached
//! nobody would, so streams say so instead of falling silent.

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
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest break that open streams bridge.
const BRIDGED: Duration = Duration::from_secs(3);

/// Where streams wait for messages.
#[derive(Debug, Clone)]
pub struct Arrivals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    channels: Mutex<HashMap<ChannelId, watch::Sender<()>>>,
    coverage: watch::Receiver<Coverage>,
    /// The broker has been away for longer than streams bridge.
    lost: watch::Sender<bool>,
    _subscriptions: [Subscription; 2],
}

impl Arrivals {
    /// Starts to listen.
    #[must_use]
    pub fn listen(signals: &Signals) -> Self {
        let inner = Arc::new_cyclic(|inner| Inner {
            channels: Mutex::default(),
            coverage: signals.watch_coverage(),
            lost: watch::Sender::new(false),
            _subscriptions: Inner::subscribe(inner, signals),
        });
        let coverage = signals.watch_coverage();
        tokio::spawn(notice_breaks(coverage, Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Waits for messages of a channel from now on.
    ///
    /// # Errors
    /// UNREACHABLE when the broker is not reached within a second.
    pub async fn of(&self, channel: ChannelId) -> Result<Arrival> {
        let mut coverage = self.0.coverage.clone();
        let reached = coverage.wait_for(|coverage| *coverage != Coverage::Broken);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(_)) => Ok(self.0.enter(channel)),
            Ok(Err(_)) | Err(_) => Err(unheard()),
        }
    }
}

/// Why a stream does not begin, or ends.
#[must_use]
pub fn unheard() -> Error {
    Error::unavailable(
        Reason::Unreachable,
        "Live updates are unavailable: the broker cannot be reached; list messages instead, or watch again after the last seq",
    )
}

/// Tells open streams of breaks that are too long to bridge.
async fn notice_breaks(mut coverage: watch::Receiver<Coverage>, inner: Weak<Inner>) {
    let broken = |coverage: &Coverage| *coverage == Coverage::Broken;
    while coverage.wait_for(broken).await.is_ok() {
        let back = coverage.wait_for(|coverage| !broken(coverage));
        if tokio::time::timeout(BRIDGED, back).await.is_ok() {
            continue;
        }
        let Some(inner) = inner.upgrade() else { return };
        inner.lost.send_replace(true);
        // Without a sender nothing comes back.
        let _ = coverage.wait_for(|coverage| !broken(coverage)).await;
        inner.lost.send_replace(false);
    }
}

impl Inner {
    fn subscribe(inner: &Weak<Self>, signals: &Signals) -> [Subscription; 2] {
        let (one, all) = (inner.clone(), inner.clone());
        [
            signals.subscribe(move |stored: &MessagesStored| {
                if let Some(inner) = one.upgrade() {
                    inner.wake(stored.channel);
                }
            }),
            signals.subscribe_missed(move || {
                if let Some(inner) = all.upgrade() {
                    inner.wake_all();
                }
            }),
        ]
    }

    fn enter(self: &Arc<Self>, channel: ChannelId) -> Arrival {
        let mut channels = self.channels.lock();
        let waiting = channels
            .entry(channel)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Arrival {
            channel,
            waiting,
            lost: self.lost.subscribe(),
            inner: Arc::clone(self),
        }
    }

    fn wake(&self, channel: ChannelId) {
        if let Some(waiting) = self.channels.lock().get(&channel) {
            waiting.send_replace(());
        }
    }

    fn wake_all(&self) {
        for waiting in self.channels.lock().values() {
            waiting.send_replace(());
        }
    }
}

/// See [`Arrivals::of`].
#[derive(Debug)]
pub struct Arrival {
    channel: ChannelId,
    waiting: watch::Receiver<()>,
    lost: watch::Receiver<bool>,
    inner: Arc<Inner>,
}

impl Arrival {
    /// Resolves when messages were stored since the last time, or may have been; with false when
    /// later ones would not be heard of.
    pub async fn next(&mut self) -> bool {
        // The senders live as long as anybody waits.
        tokio::select! {
            _ = self.waiting.changed() => true,
            _ = self.lost.wait_for(|lost| *lost) => false,
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut channels = self.inner.channels.lock();
        let alone = channels
            .get(&self.channel)
            .is_some_and(|all| all.receiver_count() <= 1);
        if alone {
            channels.remove(&self.channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_wakes_for_its_channel_and_for_missed_signals() {
        let signals = Signals::default();
        let arrivals = Arrivals::listen(&signals);
        let (channel, other) = (ChannelId::generate(), ChannelId::generate());
        let (mut arrival, mut neighbour) = (
            arrivals.of(channel).await.unwrap(),
            arrivals.of(other).await.unwrap(),
        );
        signals.send(MessagesStored { channel: other });
        neighbour.next().await;
        assert!(
            !arrival.waiting.has_changed().unwrap(),
            "another channel's message woke it"
        );
        signals.send(MessagesStored { channel });
        arrival.next().await;
        signals.send_missed();
        arrival.next().await;
    }

    #[tokio::test]
    async fn nobody_waits_and_nothing_is_kept() {
        let arrivals = Arrivals::listen(&Signals::default());
        let channel = ChannelId::generate();
        let first = arrivals.of(channel).await.unwrap();
        let second = arrivals.of(channel).await.unwrap();
        drop(first);
        assert_eq!(arrivals.0.channels.lock().len(), 1);
        drop(second);
        assert!(arrivals.0.channels.lock().is_empty());
    }
}
