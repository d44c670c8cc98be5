//! Hints that something changed.
//!
//! A signal is not an event: it may be lost, and then the listener is told that he missed some
//! and forgets what he has cached.

use guildhall_data::{ChannelId, CommunityId, UserId};
use tokio::sync::broadcast;

/// Signals that a slow listener may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub struct Signals(broadcast::Sender<Signal>);

impl Default for Signals {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Signals {
    /// Tells every listener.
    pub fn send(&self, signal: Signal) {
        // Nobody listens: nobody has cached anything.
        let _ = self.0.send(signal);
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
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
