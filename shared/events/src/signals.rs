//! Hints that something changed.
//!
//! A signal is not an event: it may be lost, and then the listener is told that he missed some
//! and forgets what he has cached. Over a bus the signals of other processes are heard, too, and
//! [`Signals::coverage`] says whether all of them are.

use std::{sync::Arc, time::Duration};

use guildhall_data::{ChannelId, CommunityId, UserId};
use guildhall_runtime::{Result, Shutdown};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use crate::{
    broker::BusSettings,
    bus::{self, Bus},
    coverage::Coverage,
};

/// Signals that a slow listener may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A key was changed or revoked.
    KeyChanged {
        /// SHA-256 of the key's text.
        digest: [u8; 32],
    },
    /// A user's role changed, or his tokens were revoked.
    SessionChanged {
        /// The user's community.
        community: CommunityId,
        /// The user.
        user: UserId,
    },
    /// A channel's settings changed.
    ChannelChanged {
        /// The channel's community.
        community: CommunityId,
        /// The channel.
        channel: ChannelId,
    },
    /// Messages were stored in a channel.
    MessagesStored {
        /// The channel.
        channel: ChannelId,
    },
    /// Signals were missed: forget everything that was cached.
    Missed,
}

/// Where signals are sent to and listened for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Signals {
    local: broadcast::Sender<Signal>,
    bus: Option<Arc<Bus>>,
}

impl Default for Signals {
    /// The signals of this process alone.
    fn default() -> Self {
        Self {
            local: broadcast::Sender::new(BACKLOG),
            bus: None,
        }
    }
}

impl Signals {
    /// The signals of all processes on a bus. Returns at once, also when the broker is away: it is
    /// looked for until it is there. From `shutdown` on the others know that this process leaves.
    ///
    /// # Errors
    /// INVALID_VALUE when an address is not one of a broker.
    pub fn connect(settings: &BusSettings, shutdown: &Shutdown) -> Result<Self> {
        let local = broadcast::Sender::new(BACKLOG);
        let bus = bus::start(settings, local.clone(), shutdown)?;
        Ok(Self {
            local,
            bus: Some(bus),
        })
    }

    /// Tells every listener. Never waits: what the bus cannot take is missed by the others, and
    /// they notice.
    pub fn send(&self, signal: Signal) {
        // Nobody listens: nobody has cached anything.
        let _ = self.local.send(signal);
        if let Some(bus) = &self.bus {
            bus.enqueue(signal);
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.local.subscribe())
    }

    /// How much is heard of what other processes say, at this moment.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        match &self.bus {
            Some(bus) => bus.lease.coverage(Instant::now()),
            None => Coverage::Process,
        }
    }

    /// The changes of [`coverage`](Self::coverage), each seen a quarter of a second late at most.
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

    /// How long what was looked up at `asked_at` may be believed: `alone` without a bus.
    pub(crate) fn life_of(&self, asked_at: Instant, now: Instant, alone: Duration) -> Duration {
        match &self.bus {
            Some(bus) => bus.lease.life_of(asked_at, now),
            None => alone,
        }
    }
}

/// See [`Signals::listen`].
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Signal>);

impl Listener {
    /// The next signal; none when the process is ending.
    pub async fn next(&mut self) -> Option<Signal> {
        match self.0.recv().await {
            Ok(signal) => Some(signal),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Signal::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_lags_too_far_is_told_so() {
        let signals = Signals::default();
        let mut listener = signals.listen();
        for _ in 0..=BACKLOG {
            signals.send(Signal::KeyChanged { digest: [0; 32] });
        }
        assert_eq!(listener.next().await, Some(Signal::Missed));
        assert_eq!(
            listener.next().await,
            Some(Signal::KeyChanged { digest: [0; 32] })
        );
    }
}
