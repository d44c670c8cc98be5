//! Bounded memory of what others keep.
//!
//! An entry lives for a short time at most, counted from the beginning of its look-up, so a lost
//! hint costs little. A look-up that began before an entry was forgotten does not bring it back.

use std::{collections::HashMap, fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use guildhall_runtime::{Error, Result};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, time::Instant};

use crate::{Signals, coverage::COVERED_LIFE, metrics::CacheFigures};

/// Entries at most.
const CAPACITY: u64 = 50_000;

/// A cache.
pub struct Cache<K, V> {
    signals: Signals,
    /// How long an entry lives where no bus tells of changes.
    alone: Duration,
    entries: moka::sync::Cache<K, Entry<V>>,
    /// Its lock is held while entries come and go: to be in here is the right to come.
    look_ups: Mutex<LookUps<K, V>>,
    figures: CacheFigures,
}

#[derive(Clone)]
struct Entry<V> {
    asked_at: Instant,
    value: V,
}

struct LookUps<K, V> {
    /// Counts what was forgotten.
    epoch: u64,
    under_way: HashMap<K, Arc<LookUp<V>>>,
}

struct LookUp<V> {
    asked_at: Instant,
    found: OnceCell<Result<V>>,
}

/// The beginning of a look-up whose results are [remembered](Cache::remember).
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    asked_at: Instant,
    epoch: u64,
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("alone", &self.alone)
            .finish_non_exhaustive()
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty cache, which its metrics call `name`. Without a bus an entry lives for `alone`; over a bus 30 seconds while every
    /// signal is heard, and 0.8 seconds while some may be lost.
    #[must_use]
    pub fn new(name: &str, signals: &Signals, alone: Duration) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(CAPACITY)
            .time_to_live(alone.max(COVERED_LIFE))
            .build();
        let counted = entries.clone();
        let count = move || {
            // What has expired is counted until somebody tidies up.
            counted.run_pending_tasks();
            counted.entry_count()
        };
        Self {
            signals: signals.clone(),
            alone,
            figures: CacheFigures::of(name, count),
            entries,
            look_ups: Mutex::new(LookUps {
                epoch: 0,
                under_way: HashMap::new(),
            }),
        }
    }

    /// The entry, if it is remembered.
    pub fn get(&self, key: &K) -> Option<V> {
        let entry = self.entries.get(key);
        let entry = entry.filter(|entry| self.lives(entry.asked_at));
        let figures = &self.figures;
        let counter = match entry {
            Some(_) => &figures.hits,
            None => &figures.misses,
        };
        counter.inc();
        entry.map(|entry| entry.value)
    }

    /// The entry, looked up when it is not remembered: once, however many ask.
    ///
    /// # Errors
    /// Whatever the look-up says; errors are shared by who asks meanwhile and not remembered.
    pub async fn get_or_load(&self, key: K, load: impl Future<Output = Result<V>>) -> Result<V> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let part = Part {
            look_up: self.join(&key),
            cache: self,
            key,
        };
        // Who comes first looks up; when he goes away, the next one does.
        let mut ours = false;
        let load = async {
            ours = true;
            load.await
        };
        let found = part.look_up.found.get_or_init(|| load).await.clone();
        self.arrive(&part.key, &part.look_up);
        if ours {
            found
        } else {
            found.map_err(Error::for_another_request)
        }
    }

    /// Takes part in the look-up that is under way, unless it began too long ago to be believed.
    fn join(&self, key: &K) -> Arc<LookUp<V>> {
        let mut look_ups = self.look_ups.lock();
        match look_ups.under_way.get(key) {
            Some(look_up) if self.lives(look_up.asked_at) => Arc::clone(look_up),
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

    /// Remembers what was found, unless it was forgotten meanwhile.
    fn arrive(&self, key: &K, look_up: &Arc<LookUp<V>>) {
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

    /// Begins a look-up of many keys.
    pub fn begin(&self) -> Beginning {
        Beginning {
            asked_at: Instant::now(),
            epoch: self.look_ups.lock().epoch,
        }
    }

    /// Remembers what was looked up since `beginning`, unless anything was forgotten meanwhile.
    pub fn remember(&self, beginning: Beginning, key: K, value: V) {
        let look_ups = self.look_ups.lock();
        if look_ups.epoch == beginning.epoch {
            let asked_at = beginning.asked_at;
            self.entries.insert(key, Entry { asked_at, value });
        }
    }

    /// Forgets an entry.
    pub fn forget(&self, key: &K) {
        let mut look_ups = self.look_ups.lock();
        look_ups.epoch += 1;
        look_ups.under_way.remove(key);
        self.entries.invalidate(key);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        let mut look_ups = self.look_ups.lock();
        look_ups.epoch += 1;
        look_ups.under_way.clear();
        self.entries.invalidate_all();
    }

    fn lives(&self, asked_at: Instant) -> bool {
        let now = Instant::now();
        let life = self.signals.life_of(asked_at, now, self.alone);
        now.saturating_duration_since(asked_at) < life
    }
}

impl<K: Hash + Eq, V> LookUps<K, V> {
    fn holds(&self, key: &K, look_up: &Arc<LookUp<V>>) -> bool {
        let under_way = self.under_way.get(key);
        under_way.is_some_and(|under_way| Arc::ptr_eq(under_way, look_up))
    }
}

/// Somebody's part in a look-up. When all go away before it ends, nothing is kept of it.
struct Part<'a, K: Hash + Eq, V> {
    cache: &'a Cache<K, V>,
    key: K,
    look_up: Arc<LookUp<V>>,
}

impl<K: Hash + Eq, V> Drop for Part<'_, K, V> {
    fn drop(&mut self) {
        let mut look_ups = self.cache.look_ups.lock();
        // One of the two is the map's.
        if look_ups.holds(&self.key, &self.look_up) && Arc::strong_count(&self.look_up) <= 2 {
            look_ups.under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    const LIFE: Duration = Duration::from_secs(30);

    fn cache() -> Cache<u8, u8> {
        Cache::new("numbers", &Signals::default(), LIFE)
    }

    #[tokio::test]
    async fn one_look_up_serves_all_who_ask_meanwhile() {
        let (cache, looked_up) = (cache(), AtomicU64::new(0));
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

    /// A look-up that has begun, and the word that lets it go on.
    async fn begun(
        cache: &Arc<Cache<u8, u8>>,
    ) -> (tokio::task::JoinHandle<Result<u8>>, oneshot::Sender<u8>) {
        let (begun, beginning) = oneshot::channel();
        let (go_on, going_on) = oneshot::channel();
        let cache = Arc::clone(cache);
        let look_up = tokio::spawn(async move {
            let load = async {
                begun.send(()).unwrap();
                Ok(going_on.await.unwrap())
            };
            cache.get_or_load(1, load).await
        });
        beginning.await.unwrap();
        (look_up, go_on)
    }

    #[tokio::test]
    async fn what_was_forgotten_during_a_look_up_stays_forgotten() {
        let cache = Arc::new(cache());
        let (look_up, go_on) = begun(&cache).await;
        cache.forget(&1);
        go_on.send(7).unwrap();
        assert_eq!(look_up.await.unwrap().unwrap(), 7);
        assert_eq!(cache.get(&1), None);
    }

    #[tokio::test]
    async fn who_asks_after_it_was_forgotten_gets_no_older_answer() {
        let cache = Arc::new(cache());
        let (look_up, go_on) = begun(&cache).await;
        cache.forget(&1);
        assert_eq!(cache.get_or_load(1, async { Ok(8) }).await.unwrap(), 8);
        go_on.send(7).unwrap();
        assert_eq!(look_up.await.unwrap().unwrap(), 7, "he asked before");
        assert_eq!(cache.get(&1), Some(8));
    }

    #[tokio::test]
    async fn a_batch_that_began_before_is_not_remembered() {
        let cache = cache();
        let (before, beginning) = (cache.begin(), cache.begin());
        cache.remember(beginning, 1, 7);
        assert_eq!(cache.get(&1), Some(7));
        cache.forget_all();
        cache.remember(before, 2, 7);
        assert_eq!((cache.get(&1), cache.get(&2)), (None, None));
    }

    #[tokio::test]
    async fn errors_are_not_remembered() {
        let cache = cache();
        let refused = cache
            .get_or_load(1, async { Err(Error::bug("down")) })
            .await;
        assert!(refused.is_err());
        assert_eq!(cache.get_or_load(1, async { Ok(7) }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_as_old_as_its_question() {
        let cache = cache();
        let slow = async {
            tokio::time::sleep(LIFE - Duration::from_secs(1)).await;
            Ok(7)
        };
        assert_eq!(cache.get_or_load(1, slow).await.unwrap(), 7);
        assert_eq!(cache.get(&1), Some(7));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&1), None);
        assert_eq!(cache.get_or_load(1, async { Ok(8) }).await.unwrap(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_joins_a_look_up_that_began_too_long_ago() {
        let cache = Arc::new(cache());
        let (old, go_on) = begun(&cache).await;
        tokio::time::advance(LIFE).await;
        assert_eq!(cache.get_or_load(1, async { Ok(8) }).await.unwrap(), 8);
        go_on.send(7).unwrap();
        old.await.unwrap().unwrap();
        assert_eq!(cache.get(&1), Some(8));
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_look_up_that_nobody_waits_for() {
        let cache = Arc::new(cache());
        let (look_up, _go_on) = begun(&cache).await;
        assert_eq!(cache.look_ups.lock().under_way.len(), 1);
        look_up.abort();
        assert!(look_up.await.unwrap_err().is_cancelled());
        assert!(cache.look_ups.lock().under_way.is_empty());
    }
}
