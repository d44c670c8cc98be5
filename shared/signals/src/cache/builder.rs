//! A cache is made with the signals that empty it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;

use super::{CAPACITY, Cache, Inner, LookUps};
use crate::{Signal, Signals, Subscription, coverage::COVERED_LIFE, metrics::CacheMetrics};

type Subscribe<K, V> = Box<dyn FnOnce(&Signals, Weak<Inner<K, V>>) -> Subscription>;

/// See [`Cache::builder`].
#[must_use = "a builder makes nothing before it is built"]
pub struct Builder<K, V> {
    name: &'static str,
    signals: Signals,
    alone: Duration,
    subscribes: Vec<Subscribe<K, V>>,
}

impl<K, V> Builder<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(name: &'static str, signals: &Signals, alone: Duration) -> Self {
        Self {
            name,
            signals: signals.clone(),
            alone,
            subscribes: vec![Box::new(|signals, cache| {
                signals.subscribe_missed(move || with(&cache, Inner::clear))
            })],
        }
    }

    /// Signals of kind `S` invalidate the entry that `key_of` names.
    pub fn invalidated_by<S: Signal>(
        mut self,
        key_of: impl Fn(&S) -> K + Send + Sync + 'static,
    ) -> Self {
        self.subscribes.push(Box::new(move |signals, cache| {
            signals.subscribe(move |signal| {
                with(&cache, |cache| cache.invalidate(&key_of(signal)));
            })
        }));
        self
    }

    /// Signals of kind `S` empty the cache: for changes that are rare, or name no entry.
    pub fn emptied_by<S: Signal>(mut self) -> Self {
        self.subscribes.push(Box::new(|signals, cache| {
            signals.subscribe(move |_: &S| with(&cache, Inner::clear))
        }));
        self
    }

    /// An empty cache, subscribed to its signals.
    pub fn build(self) -> Cache<K, V> {
        let entries = moka::sync::Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(self.alone.max(COVERED_LIFE))
            .build();
        let counted = entries.clone();
        let count = move || {
            // Expired entries are counted until pending tasks run.
            counted.run_pending_tasks();
            counted.entry_count()
        };
        let inner = Arc::new(Inner {
            signals: self.signals,
            alone: self.alone,
            metrics: CacheMetrics::of(self.name, count),
            entries,
            look_ups: Mutex::new(LookUps {
                epoch: 0,
                under_way: HashMap::new(),
            }),
        });
        let subscribes = self.subscribes.into_iter();
        Cache {
            _subscriptions: subscribes
                .map(|subscribe| subscribe(&inner.signals, Arc::downgrade(&inner)))
                .collect(),
            inner,
        }
    }
}

/// A subscription must not keep alive the cache that holds it.
fn with<K, V>(cache: &Weak<Inner<K, V>>, act: impl FnOnce(&Inner<K, V>)) {
    if let Some(cache) = cache.upgrade() {
        act(&cache);
    }
}
