use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::*;
use crate::KeyChanged;

const LIFE: Duration = Duration::from_secs(30);

fn cache() -> Cache<u8, u8> {
    Cache::builder("numbers", &Signals::default(), LIFE).build()
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
async fn what_is_invalidated_during_a_look_up_is_not_stored() {
    let cache = Arc::new(cache());
    let (look_up, go_on) = begun(&cache).await;
    cache.invalidate(&1);
    go_on.send(7).unwrap();
    assert_eq!(look_up.await.unwrap().unwrap(), 7);
    assert_eq!(cache.get(&1), None);
}

#[tokio::test]
async fn who_asks_after_an_invalidation_gets_no_older_answer() {
    let cache = Arc::new(cache());
    let (look_up, go_on) = begun(&cache).await;
    cache.invalidate(&1);
    assert_eq!(cache.get_or_load(1, async { Ok(8) }).await.unwrap(), 8);
    go_on.send(7).unwrap();
    assert_eq!(
        look_up.await.unwrap().unwrap(),
        7,
        "it was asked for before"
    );
    assert_eq!(cache.get(&1), Some(8));
}

#[tokio::test]
async fn a_batch_that_began_before_an_invalidation_is_not_stored() {
    let cache = cache();
    let (before, batch) = (cache.begin(), cache.begin());
    cache.store(batch, 1, 7);
    assert_eq!(cache.get(&1), Some(7));
    cache.inner.clear();
    cache.store(before, 2, 7);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, None));
}

#[tokio::test]
async fn errors_are_not_cached() {
    let cache = cache();
    let refused = cache
        .get_or_load(1, async { Err(Error::bug("down")) })
        .await;
    assert!(refused.is_err());
    assert_eq!(cache.get_or_load(1, async { Ok(7) }).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_as_old_as_the_beginning_of_its_look_up() {
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
    assert_eq!(cache.inner.look_ups.lock().under_way.len(), 1);
    look_up.abort();
    assert!(look_up.await.unwrap_err().is_cancelled());
    assert!(cache.inner.look_ups.lock().under_way.is_empty());
}

/// A cache of keys by the first byte of their digest, and of all keys together.
fn subscribed(signals: &Signals) -> (Cache<u8, u8>, Cache<u8, u8>) {
    let one = Cache::builder("one", signals, LIFE)
        .invalidated_by(|changed: &KeyChanged| changed.digest[0])
        .build();
    let all = Cache::builder("all", signals, LIFE)
        .emptied_by::<KeyChanged>()
        .build();
    for cache in [&one, &all] {
        for key in [1, 2] {
            cache.store(cache.begin(), key, 7);
        }
    }
    (one, all)
}

#[tokio::test]
async fn a_signal_removes_the_entry_that_it_names_or_empties_the_cache() {
    let signals = Signals::default();
    let (one, all) = subscribed(&signals);
    signals.send(KeyChanged { digest: [1; 32] });
    assert_eq!((one.get(&1), one.get(&2)), (None, Some(7)));
    assert_eq!((all.get(&1), all.get(&2)), (None, None));
}

#[tokio::test]
async fn missed_signals_empty_every_cache() {
    let signals = Signals::default();
    let (one, all) = subscribed(&signals);
    let unsubscribed = Cache::builder("unsubscribed", &signals, LIFE).build();
    unsubscribed.store(unsubscribed.begin(), 1, 7);
    signals.send_missed();
    for cache in [&one, &all, &unsubscribed] {
        assert_eq!((cache.get(&1), cache.get(&2)), (None, None));
    }
}

#[tokio::test]
async fn a_signal_during_a_look_up_keeps_its_result_out() {
    let signals = Signals::default();
    let (one, _) = subscribed(&signals);
    let one = Arc::new(one);
    signals.send(KeyChanged { digest: [1; 32] });
    let (look_up, go_on) = begun(&one).await;
    signals.send(KeyChanged { digest: [1; 32] });
    go_on.send(8).unwrap();
    assert_eq!(look_up.await.unwrap().unwrap(), 8);
    assert_eq!(one.get(&1), None);
}
