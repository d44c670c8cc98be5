//! Bounded caches of what other services or the database keep.
//!
//! A cache is built with the signals that empty it. An entry lives for a short time at most,
//! counted from the beginning of its look-up, so a lost signal costs little. A look-up that began
//! before an entry was invalidated does not bring it back.

mod builder;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use guildhall_runtime::{Error, Result};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::Instant};

pub use self::builder::Builder;
use crate::{Signals, Subscription, metrics::CacheMetrics};

/// The most entries of a cache.
const CAPACITY: u64 = 50_000;

/// A cache.
pub struct Cache<K, V> {
    inner: Arc<Inner<K, V>>,
    _subscriptions: Vec<Subscription>,
}

struct Inner<K, V> {
    signals: Signals,
    /// How long an entry lives where no bus tells of changes.
    alone: Duration,
    entries: moka::sync::Cache<K, Entry<V>>,
    /// Locked while entries come and go: only a look-up that is in here may store its result.
    look_ups: Mutex<LookUps<K, V>>,
    metrics: CacheMetrics,
}

#[derive(Clone)]
struct Entry<V> {
    asked_at: Instant,
    value: V,
}

struct LookUps<K, V> {
    /// Counts invalidations.
    epoch: u64,
    under_way: HashMap<K, Arc<LookUp<V>>>,
}

struct LookUp<V> {
    asked_at: Instant,
    found: OnceCell<Result<V>>,
}

/// A look-up of many keys, begun by [`Cache::begin`]; its results are [stored](Cache::store).
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    asked_at: Instant,
    epoch: u64,
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("alone", &self.inner.alone)
            .finish_non_exhaustive()
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Builds a cache that its metrics call `name`. Over a bus an entry lives for 30 seconds while
    /// every signal is received, and for 0.8 seconds while some may be lost; without a bus for
    /// `alone`. Missed signals empty it.
    pub fn builder(name: &'static str, signals: &Signals, alone: Duration) -> Builder<K, V> {
        Builder::new(name, signals, alone)
    }

    /// The entry, if it is cached.
    pub fn get(&self, key: &K) -> Option<V> {
        let entry = self.inner.entries.get(key);
        let entry = entry.filter(|entry| self.inner.is_fresh(entry.asked_at));
        let metrics = &self.inner.metrics;
        let counter = match entry {
            Some(_) => &metrics.hits,
            None => &metrics.misses,
        };
        counter.inc();
        entry.map(|entry| entry.value)
    }

    /// The entry, looked up when it is not cached: once, however many ask.
    ///
    /// # Errors
    /// Whatever the look-up says; errors are shared by who asks meanwhile and not cached.
    pub async fn get_or_load(&self, key: K, load: impl Future<Output = Result<V>>) -> Result<V> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let waiter = Waiter {
            look_up: self.inner.join(&key),
            cache: &self.inner,
            key,
        };
        // Who comes first looks up; when they go away, the next one does.
        let mut ours = false;
        let load = async {
            ours = true;
            load.await
        };
        let found = waiter.look_up.found.get_or_init(|| load).await.clone();
        self.inner.finish(&waiter.key, &waiter.look_up);
        if ours {
            found
        } else {
            found.map_err(Error::for_another_request)
        }
    }

    /// Begins a look-up of many keys.
    pub fn begin(&self) -> Batch {
        Batch {
            asked_at: Instant::now(),
            epoch: self.inner.look_ups.lock().epoch,
        }
    }

    /// Stores what `batch` has found, unless anything was invalidated since it began.
    pub fn store(&self, batch: Batch, key: K, value: V) {
        let look_ups = self.inner.look_ups.lock();
        if look_ups.epoch == batch.epoch {
            let asked_at = batch.asked_at;
            self.inner.entries.insert(key, Entry { asked_at, value });
        }
    }

    /// Removes an entry.
    pub fn invalidate(&self, key: &K) {
        self.inner.invalidate(key);
    }
}

impl<K, V> Inner<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Takes part in the look-up that is under way, unless it began too long ago to be fresh.
    fn join(&self, key: &K) -> Arc<LookUp<V>> {
        let mut look_ups = self.look_ups.lock();
        match look_ups.under_way.get(key) {
            Some(look_up) if self.is_fresh(look_up.asked_at) => Arc::clone(look_up),
            Some(_) | None => {
                let look_up = Arc::new(LookUp {
                    asked_at: Instant::now(),
                    found: OnceCell::new(),
                });
                let under_way = Arc::clone(&look_up);
                look_ups.under_way.insert(key.clone(), under_way);
                look_up
            }
        }
    }

    /// Stores what was found, unless it was invalidated meanwhile.
    fn finish(&self, key: &K, look_up: &Arc<LookUp<V>>) {
        let mut look_ups = self.look_ups.lock();
        if !look_ups.holds(key, look_up) {
            return;
        }
        look_ups.under_way.remove(key);
        if let Some(Ok(value)) = look_up.found.get() {
            let entry = Entry {
                asked_at: look_up.asked_at,
                value: value.clone(),
            };
            self.entries.insert(key.clone(), entry);
        }
    }

    fn invalidate(&self, key: &K) {
        let mut look_ups = self.look_ups.lock();
        look_ups.epoch += 1;
        look_ups.under_way.remove(key);
        self.entries.invalidate(key);
    }

    fn clear(&self) {
        let mut look_ups = self.look_ups.lock();
        look_ups.epoch += 1;
        look_ups.under_way.clear();
        self.entries.invalidate_all();
    }

    fn is_fresh(&self, asked_at: Instant) -> bool {
        let now = Instant::now();
        let lifetime = self.signals.lifetime(asked_at, now, self.alone);
        now.saturating_duration_since(asked_at) < lifetime
    }
}

impl<K: Hash + Eq, V> LookUps<K, V> {
    fn holds(&self, key: &K, look_up: &Arc<LookUp<V>>) -> bool {
        let under_way = self.under_way.get(key);
        under_way.is_some_and(|under_way| Arc::ptr_eq(under_way, look_up))
    }
}

/// One of those who wait for a look-up. When all go away before it ends, nothing is kept of it.
struct Waiter<'a, K: Hash + Eq, V> {
    cache: &'a Inner<K, V>,
    key: K,
    look_up: Arc<LookUp<V>>,
}

impl<K: Hash + Eq, V> Drop for Waiter<'_, K, V> {
    fn drop(&mut self) {
        let mut look_ups = self.cache.look_ups.lock();
        // One of the two is the map's.
        if look_ups.holds(&self.key, &self.look_up) && Arc::strong_count(&self.look_up) <= 2 {
            look_ups.under_way.remove(&self.key);
        }
    }
}
