//! Wakes the live streams of a channel when messages were stored in it: one listener a process,
//! however many streams there are.

use std::{collections::HashMap, sync::Arc};

use guildhall_data::ChannelId;
use guildhall_events::{Signal, Signals};
use parking_lot::Mutex;
use tokio::sync::watch;

type Channels = Mutex<HashMap<ChannelId, watch::Sender<()>>>;

/// Where streams wait for messages.
#[derive(Debug, Clone)]
pub struct Arrivals(Arc<Channels>);

impl Arrivals {
    /// Starts to listen.
    #[must_use]
    pub fn listen(signals: &Signals) -> Self {
        let arrivals = Self(Arc::default());
        let channels = Arc::downgrade(&arrivals.0);
        let mut listener = signals.listen();
        tokio::spawn(async move {
            while let (Some(signal), Some(channels)) = (listener.next().await, channels.upgrade()) {
                wake(&channels, signal);
            }
        });
        arrivals
    }

    /// Waits for messages of a channel from now on.
    #[must_use]
    pub fn of(&self, channel: ChannelId) -> Arrival {
        let mut channels = self.0.lock();
        let waiting = channels
            .entry(channel)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Arrival {
            channel,
            waiting,
            channels: Arc::clone(&self.0),
        }
    }
}

fn wake(channels: &Channels, signal: Signal) {
    match signal {
        Signal::MessagesStored { channel } => {
            if let Some(waiting) = channels.lock().get(&channel) {
                waiting.send_replace(());
            }
        }
        Signal::Missed => {
            for waiting in channels.lock().values() {
                waiting.send_replace(());
            }
        }
        Signal::KeyChanged { .. }
        | Signal::SessionChanged { .. }
        | Signal::ChannelChanged { .. } => {}
    }
}

/// See [`Arrivals::of`].
#[derive(Debug)]
pub struct Arrival {
    channel: ChannelId,
    waiting: watch::Receiver<()>,
    channels: Arc<Channels>,
}

impl Arrival {
    /// Resolves when messages were stored since the last time, or may have been.
    pub async fn next(&mut self) {
        // The sender lives as long as anybody waits.
        let _ = self.waiting.changed().await;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut channels = self.channels.lock();
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
        let (mut arrival, mut neighbour) = (arrivals.of(channel), arrivals.of(other));
        signals.send(Signal::MessagesStored { channel: other });
        neighbour.next().await;
        assert!(
            !arrival.waiting.has_changed().unwrap(),
            "another channel's message woke it"
        );
        signals.send(Signal::MessagesStored { channel });
        arrival.next().await;
        signals.send(Signal::Missed);
        arrival.next().await;
    }

    #[tokio::test]
    async fn nobody_waits_and_nothing_is_kept() {
        let arrivals = Arrivals::listen(&Signals::default());
        let channel = ChannelId::generate();
        let (first, second) = (arrivals.of(channel), arrivals.of(channel));
        drop(first);
        assert_eq!(arrivals.0.lock().len(), 1);
        drop(second);
        assert!(arrivals.0.lock().is_empty());
    }
}
