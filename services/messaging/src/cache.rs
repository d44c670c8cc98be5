//! Bounded memory of what others keep.
//!
//! An entry lives for a short time at most, so a lost hint costs little. A look-up that began
//! before an entry was forgotten does not bring it back.

use std::{
    future::Future,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use guildhall_runtime::{Error, Result};

/// Entries at most.
const CAPACITY: u64 = 50_000;
/// How long an entry lives at most.
const LIFE: Duration = Duration::from_secs(30);

/// A cache.
pub struct Cache<K, V> {
    entries: moka::future::Cache<K, V>,
    /// Counts what was forgotten.
    epoch: AtomicU64,
}

impl<K, V> std::fmt::Debug for Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("entries", &self.entries.entry_count())
            .finish()
    }
}

impl<K, V> Default for Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self {
            entries: moka::future::Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(LIFE)
                .build(),
            epoch: AtomicU64::new(0),
        }
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The entry, if it is remembered.
    pub async fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).await
    }

    /// The entry, looked up when it is not remembered: once, however many ask.
    ///
    /// # Errors
    /// Whatever the look-up says; errors are not remembered.
    pub async fn get_or_load(&self, key: K, load: impl Future<Output = Result<V>>) -> Result<V> {
        let epoch = self.epoch();
        let loaded = self.entries.try_get_with(key.clone(), load).await;
        self.forget_if_later(epoch, &key).await;
        loaded.map_err(|error: Arc<Error>| (*error).clone())
    }

    /// The present epoch, to be read before a look-up whose results are [remembered](Self::remember).
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Remembers what was looked up since `epoch`.
    pub async fn remember(&self, epoch: u64, key: K, value: V) {
        self.entries.insert(key.clone(), value).await;
        self.forget_if_later(epoch, &key).await;
    }

    async fn forget_if_later(&self, epoch: u64, key: &K) {
        if self.epoch() != epoch {
            self.entries.invalidate(key).await;
        }
    }

    /// Forgets an entry.
    pub async fn forget(&self, key: &K) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate(key).await;
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_look_up_serves_all_who_ask_meanwhile() {
        let cache = Cache::<u8, u8>::default();
        let looked_up = AtomicU64::new(0);
        let ask = || {
            cache.get_or_load(1, async {
                looked_up.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(7)
            })
        };
        let answers = futures::future::join_all((0..100).map(|_| ask())).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 7));
        assert_eq!(looked_up.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_was_forgotten_during_a_look_up_stays_forgotten() {
        let cache = Arc::new(Cache::<u8, u8>::default());
        let (begun, beginning) = oneshot::channel();
        let (go_on, going_on) = oneshot::channel::<()>();
        let look_up = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move {
                let load = async {
                    begun.send(()).unwrap();
                    going_on.await.unwrap();
                    Ok(7)
                };
                cache.get_or_load(1, load).await
            }
        });
        beginning.await.unwrap();
        cache.forget(&1).await;
        go_on.send(()).unwrap();
        assert_eq!(look_up.await.unwrap().unwrap(), 7);
        assert_eq!(cache.get(&1).await, None);
    }

    #[tokio::test]
    async fn errors_are_not_remembered() {
        let cache = Cache::<u8, u8>::default();
        let refused = cache
            .get_or_load(1, async { Err(Error::bug("down")) })
            .await;
        assert!(refused.is_err());
        assert_eq!(cache.get_or_load(1, async { Ok(7) }).await.unwrap(), 7);
    }
}
