//! Who is called when something changed, in this process.

use std::{any::Any, fmt, sync::Arc};

use guildhall_proto::events::v1::signal::Kind;
use parking_lot::RwLock;

use crate::Signal;

/// What subscribers are called with.
#[derive(Clone, Copy)]
enum Notice<'a> {
    /// A signal of this process.
    Sent(&'a dyn Any),
    /// A signal of another process.
    Received(&'a Kind),
    /// Signals of other processes may have been missed.
    Missed,
}

type Callback = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

/// The subscribers of one process. Cheap to clone.
///
/// They are called by whoever sends, before the sending returns: a change is never visible to its
/// author and still hidden by a cache.
#[derive(Clone, Default)]
pub(crate) struct Subscribers(Arc<RwLock<Registry>>);

#[derive(Default)]
struct Registry {
    next_id: u64,
    /// Replaced as a whole, so that no lock is held while subscribers are called.
    callbacks: Arc<Vec<(u64, Callback)>>,
}

impl fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscribers")
    }
}

impl Subscribers {
    /// Calls `on_signal` with every signal of kind `S`.
    pub(crate) fn subscribe<S: Signal>(
        &self,
        on_signal: impl Fn(&S) + Send + Sync + 'static,
    ) -> Subscription {
        self.add(Arc::new(move |notice| match notice {
            Notice::Sent(signal) => {
                if let Some(signal) = signal.downcast_ref() {
                    on_signal(signal);
                }
            }
            Notice::Received(kind) => {
                if let Some(signal) = S::from_wire(kind) {
                    on_signal(&signal);
                }
            }
            Notice::Missed => {}
        }))
    }

    /// Calls `on_missed` whenever signals may have been missed.
    pub(crate) fn subscribe_missed(
        &self,
        on_missed: impl Fn() + Send + Sync + 'static,
    ) -> Subscription {
        self.add(Arc::new(move |notice| match notice {
            Notice::Missed => on_missed(),
            Notice::Sent(_) | Notice::Received(_) => {}
        }))
    }

    fn add(&self, callback: Callback) -> Subscription {
        let mut registry = self.0.write();
        let id = registry.next_id;
        registry.next_id += 1;
        Arc::make_mut(&mut registry.callbacks).push((id, callback));
        Subscription {
            id,
            subscribers: self.clone(),
        }
    }

    /// A signal of this process.
    pub(crate) fn sent(&self, signal: &impl Signal) {
        self.call(Notice::Sent(signal));
    }

    /// A signal of another process.
    pub(crate) fn received(&self, kind: &Kind) {
        self.call(Notice::Received(kind));
    }

    /// Signals may have been missed.
    pub(crate) fn missed(&self) {
        self.call(Notice::Missed);
    }

    fn call(&self, notice: Notice<'_>) {
        let callbacks = Arc::clone(&self.0.read().callbacks);
        for (_, callback) in callbacks.iter() {
            callback(notice);
        }
    }
}

/// Ends when it is dropped.
#[must_use = "a subscription ends when it is dropped"]
#[derive(Debug)]
pub struct Subscription {
    id: u64,
    subscribers: Subscribers,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut registry = self.subscribers.0.write();
        Arc::make_mut(&mut registry.callbacks).retain(|(id, _)| *id != self.id);
    }
}
