//! Sending signals and subscribing to them.

use std::{sync::Arc, time::Duration};

use guildhall_runtime::{Result, Shutdown};
use tokio::{sync::watch, time::Instant};

use crate::{
    Signal, Subscription,
    broker::BusSettings,
    bus::{self, Bus},
    coverage::Coverage,
    subscribers::Subscribers,
};

/// Where signals are sent and subscribed to. Cheap to clone.
///
/// Over a bus the signals of other processes are received, too, and
/// [`coverage`](Self::coverage) says whether all of them are.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    subscribers: Subscribers,
    /// None for the signals of this process alone.
    bus: Option<Arc<Bus>>,
}

impl Signals {
    /// The signals of all processes on a bus. Returns at once, also while the broker is away: it
    /// is retried until it is there. From `shutdown` on the others know that this process leaves.
    ///
    /// # Errors
    /// INVALID_VALUE when an address is not one of a broker.
    pub fn connect(settings: &BusSettings, shutdown: &Shutdown) -> Result<Self> {
        let subscribers = Subscribers::default();
        let bus = bus::start(settings, subscribers.clone(), shutdown)?;
        Ok(Self {
            subscribers,
            bus: Some(bus),
        })
    }

    /// Calls every subscriber in this process, then has the bus tell the others. Never waits: what
    /// the bus cannot take is missed by the others, and they notice.
    pub fn send(&self, signal: impl Signal) {
        self.subscribers.sent(&signal);
        if let Some(bus) = &self.bus {
            bus.enqueue(signal.to_wire());
        }
    }

    /// Has every subscriber of every process assume that it missed signals.
    pub fn send_missed(&self) {
        self.subscribers.missed();
        if let Some(bus) = &self.bus {
            bus.enqueue_missed();
        }
    }

    /// Calls `on_signal` with every signal of kind `S` until the subscription is dropped.
    /// `on_signal` runs in the task of whoever sends, so it must not block, send, or panic.
    pub fn subscribe<S: Signal>(
        &self,
        on_signal: impl Fn(&S) + Send + Sync + 'static,
    ) -> Subscription {
        self.subscribers.subscribe(on_signal)
    }

    /// Calls `on_missed`, as [`subscribe`](Self::subscribe) does, whenever signals of other
    /// processes may have been missed.
    pub fn subscribe_missed(&self, on_missed: impl Fn() + Send + Sync + 'static) -> Subscription {
        self.subscribers.subscribe_missed(on_missed)
    }

    /// How much is received of what other processes send, at this moment.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        match &self.bus {
            Some(bus) => bus.lease.coverage(Instant::now()),
            None => Coverage::Process,
        }
    }

    /// The changes of [`coverage`](Self::coverage), each seen at most a quarter of a second late.
    #[must_use]
    pub fn watch_coverage(&self) -> watch::Receiver<Coverage> {
        match &self.bus {
            Some(bus) => bus.coverage.subscribe(),
            None => watch::Sender::new(Coverage::Process).subscribe(),
        }
    }

    /// Waits until the broker has taken all that was sent so far, two seconds at most; whether it
    /// has. Without a bus there is nothing to wait for. A process that ends calls it last.
    pub async fn delivered(&self) -> bool {
        match &self.bus {
            Some(bus) => bus.delivered().await,
            None => true,
        }
    }

    /// How long an answer to a question of `asked_at` stays fresh: `alone` without a bus.
    pub(crate) fn lifetime(&self, asked_at: Instant, now: Instant, alone: Duration) -> Duration {
        match &self.bus {
            Some(bus) => bus.lease.lifetime(asked_at, now),
            None => alone,
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::{ChannelChanged, KeyChanged};
    use guildhall_types::{ChannelId, CommunityId};

    fn collect(signals: &Signals) -> (Subscription, Arc<Mutex<Vec<u8>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&seen);
        let on_key = move |key: &KeyChanged| heard.lock().push(key.digest[0]);
        (signals.subscribe(on_key), seen)
    }

    #[test]
    fn a_subscriber_gets_every_signal_of_its_kind_in_order_and_before_the_sending_returns() {
        let signals = Signals::default();
        let (subscription, seen) = collect(&signals);
        for number in 0..=u8::MAX {
            signals.send(KeyChanged {
                digest: [number; 32],
            });
            signals.send(ChannelChanged {
                community: CommunityId::generate(),
                channel: ChannelId::generate(),
            });
            assert_eq!(seen.lock().last(), Some(&number));
        }
        assert_eq!(seen.lock().len(), 256);
        drop(subscription);
        signals.send(KeyChanged { digest: [0; 32] });
        assert_eq!(seen.lock().len(), 256, "the subscription has ended");
    }

    #[test]
    fn missed_signals_are_told_to_those_who_asked_for_it() {
        let signals = Signals::default();
        let (_keys, seen) = collect(&signals);
        let missed = Arc::new(Mutex::new(0));
        let count = Arc::clone(&missed);
        let _missed = signals.subscribe_missed(move || *count.lock() += 1);
        signals.send(KeyChanged { digest: [1; 32] });
        signals.send_missed();
        assert_eq!((seen.lock().len(), *missed.lock()), (1, 1));
    }
}
