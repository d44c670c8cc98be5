//! Random moments that can be had again, and how often a test tries its luck.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The variable that repeats a run: the seed that it has printed.
const SEED: &str = "GUILDHALL_TEST_SEED";

/// The variable that says how often each kill is repeated.
const KILLS: &str = "GUILDHALL_TEST_KILLS";

/// How often each kill is repeated: three times, or as often as the environment says (`make faults
/// KILLS=20`).
///
/// # Panics
/// When it says something else than a number above 0.
#[must_use]
pub fn kills() -> usize {
    let kills = env::var(KILLS).map_or(3, |kills| kills.parse().expect("a number of kills"));
    assert!(kills > 0, "{KILLS}=0 would test nothing");
    kills
}

/// Random numbers from a seed (SplitMix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// A new seed, or the one that is asked for; says which, in the name of `test`.
    ///
    /// # Panics
    /// When something else than a number is asked for.
    #[must_use]
    pub fn seeded(test: &str) -> Self {
        let seed = match env::var(SEED) {
            Ok(seed) => seed.parse().expect("a seed is a number"),
            Err(_) => RandomState::new().hash_one(test),
        };
        println!("{test}: {SEED}={seed}");
        Self(seed)
    }

    /// A moment before `limit`.
    pub fn moment(&mut self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_micros()).expect("a short time");
        Duration::from_micros(self.next() % limit)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a number");
        usize::try_from(self.next() % limit).expect("a smaller number")
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
