//! A reset at a certain moment of a conversation.

use std::sync::Mutex;

use tokio::sync::oneshot;

/// When the connection is reset whose client has sent the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The server does not get these bytes, nor what came with them.
    BeforeForwarding,
    /// The server gets them and the stream's end; nobody waits for what it makes of them.
    AfterForwarding,
    /// The server gets them and has begun to answer; the answer is withheld.
    BeforeAnswering,
}

/// The triggers that nobody has walked into yet.
#[derive(Debug, Default)]
pub(super) struct Triggers(Mutex<Vec<Trigger>>);

/// See [`Triggers`].
#[derive(Debug)]
pub(super) struct Trigger {
    pattern: Vec<u8>,
    pub(super) when: When,
    pub(super) happened: oneshot::Sender<()>,
}

impl Triggers {
    pub(super) fn set(&self, pattern: &[u8], when: When) -> oneshot::Receiver<()> {
        assert!(!pattern.is_empty(), "every byte would match");
        let (happened, wait) = oneshot::channel();
        self.0.lock().expect("no panic").push(Trigger {
            pattern: pattern.to_vec(),
            when,
            happened,
        });
        wait
    }

    /// Takes the first one whose pattern ends in the last `fresh` bytes of `sent`.
    pub(super) fn fire(&self, sent: &[u8], fresh: usize) -> Option<Trigger> {
        let mut triggers = self.0.lock().expect("no panic");
        let caught = triggers.iter().position(|trigger| {
            let width = trigger.pattern.len();
            // It may have begun before; what ended before was another's.
            let from = sent.len().saturating_sub(fresh + width - 1);
            sent[from..]
                .windows(width)
                .any(|bytes| bytes == trigger.pattern)
        });
        caught.map(|index| triggers.remove(index))
    }

    /// How many bytes of the past a pattern may have begun in.
    pub(super) fn memory(&self) -> usize {
        let triggers = self.0.lock().expect("no panic");
        let widths = triggers.iter().map(|trigger| trigger.pattern.len() - 1);
        widths.max().unwrap_or(0)
    }
}
