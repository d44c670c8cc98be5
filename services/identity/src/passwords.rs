//! Hashes passwords with Argon2id, as many at the same time as there are cores.
//!
//! A hash takes a core and 19 MiB for tens of milliseconds. The queue is bounded as well: under a
//! flood of logins, callers get an error and may retry, instead of waiting beyond their deadlines.

use std::{sync::Arc, thread};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use guildhall_runtime::{Error, Reason, Result};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// OWASP's parameters: memory in KiB, passes, lanes.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;
/// Blocks of 1 KiB reserved for a hash. The system's allocator maps more than 32 MiB separately and
/// returns it at once; of smaller buffers it would keep one per thread for ever. Reserved blocks
/// that are not used take no memory.
const RESERVED_BLOCKS: usize = 33 * 1024;
/// Passwords that may wait for each core: less than two seconds of work.
const WAITING_PER_CORE: usize = 32;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    /// Bounds the passwords that wait or are being hashed.
    queue: Arc<Semaphore>,
    /// Bounds the passwords that are being hashed.
    cores: Arc<Semaphore>,
    /// The hash that unknown accounts are checked against, so that they take as long as known ones.
    dummy: Arc<str>,
}

impl Passwords {
    /// # Errors
    /// INTERNAL without randomness.
    pub(crate) fn start() -> Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut passwords = Self::with_capacity(cores, cores * WAITING_PER_CORE);
        let (mut salt, mut hash) = ([0; SALT_LEN], [0; HASH_LEN]);
        rand::fill(&mut salt).map_err(Error::internal)?;
        rand::fill(&mut hash).map_err(Error::internal)?;
        // The hash of no password. To make one would take 19 MiB, which a process that is idle from then
        // on may keep.
        passwords.dummy = written(&salt, &hash).into();
        Ok(passwords)
    }

    fn with_capacity(cores: usize, waiting: usize) -> Self {
        Self {
            queue: Arc::new(Semaphore::new(cores + waiting)),
            cores: Arc::new(Semaphore::new(cores)),
            dummy: "".into(),
        }
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// OVERLOADED when too many wait.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String> {
        self.run(move || {
            let mut salt = [0; SALT_LEN];
            rand::fill(&mut salt).map_err(Error::internal)?;
            let hash = derive(&argon2()?, &password, &salt)?;
            Ok(written(&salt, &hash))
        })
        .await
    }

    /// Whether `hash` is the hash of this password. Without a hash it is not, after the same time.
    ///
    /// # Errors
    /// OVERLOADED when too many wait.
    pub(crate) async fn is_right(
        &self,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<bool> {
        let is_known = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| Arc::clone(&self.dummy), Into::into);
        self.run(move || Ok(is_hash_of(&hash, &password)? && is_known))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queued = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_full| {
                Error::unavailable(Reason::Overloaded, "Too many logins at once, try again")
            })?;
        let core = Arc::clone(&self.cores)
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who disconnects frees nothing that is still in use.
            let _held = (queued, core);
            work()
        });
        done.await.map_err(Error::internal)?
    }
}

/// The PHC string of a hash.
fn written(salt: &[u8], hash: &[u8]) -> String {
    let [salt, hash] = [salt, hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${hash}")
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn derive(argon2: &Argon2, password: &str, salt: &[u8]) -> Result<[u8; HASH_LEN]> {
    let used = argon2.params().block_count();
    let mut blocks = Vec::with_capacity(RESERVED_BLOCKS.max(used));
    blocks.resize(used, Block::new());
    let mut hash = [0; HASH_LEN];
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut blocks[..])
        .map_err(Error::internal)?;
    Ok(hash)
}

/// Whether `stored` is the hash of this password, computed with its own parameters.
fn is_hash_of(stored: &str, password: &str) -> Result<bool> {
    let stored = PasswordHash::new(stored).map_err(Error::internal)?;
    let (Some(salt), Some(hash)) = (&stored.salt, &stored.hash) else {
        return Err(Error::bug("a stored password hash has no salt or no hash"));
    };
    let params = Params::try_from(&stored).map_err(Error::internal)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let given = derive(&argon2, password, salt.as_ref())?;
    Ok(verify_slices_are_equal(&given, hash.as_ref()).is_ok())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier;
    use futures::future::join_all;

    use super::*;

    fn text(password: &str) -> Zeroizing<String> {
        Zeroizing::new(password.into())
    }

    #[tokio::test]
    async fn a_hash_matches_only_its_password() {
        let passwords = Passwords::start().unwrap();
        let hash = passwords.hash(text("correct horse")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            Argon2::default()
                .verify_password(b"correct horse", &*hash)
                .is_ok(),
            "the PHC string is standard"
        );
        assert_ne!(
            hash,
            passwords.hash(text("correct horse")).await.unwrap(),
            "salted"
        );
        assert!(
            passwords
                .is_right(text("correct horse"), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .is_right(text("wrong horse"), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .is_right(text("correct horse"), None)
                .await
                .unwrap()
        );
        assert!(
            passwords
                .is_right(text("a"), Some("damaged".into()))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_the_others_are_served() {
        let passwords = Passwords::with_capacity(1, 2);
        let answers = join_all((0..5).map(|_| passwords.hash(text("password")))).await;
        let refused: Vec<_> = answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .collect();
        assert_eq!(refused.len(), 2);
        assert!(
            refused
                .iter()
                .all(|error| error.reason() == Reason::Overloaded)
        );
        assert!(
            passwords.hash(text("password")).await.is_ok(),
            "the queue has room again"
        );
    }
}
