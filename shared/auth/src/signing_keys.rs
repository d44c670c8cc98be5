//! The keys that JWTs are checked with, as identity lists them.
//!
//! They are cached like every other credential: until a signal says that they changed, and for 30
//! seconds at most. A key that identity lists no longer is trusted no longer, and while identity is
//! away no key is trusted beyond that: callers get UNREACHABLE and may try again.

use std::{sync::Arc, time::Duration};

use guildhall_proto::identity::v1::SigningKey;
use guildhall_runtime::Result;
use guildhall_signals::{Cache, Signals, SigningKeysChanged, coverage::UNCOVERED_LIFE};
use tokio::time::Instant;

use crate::{
    Credential,
    source::{CredentialSource, answered},
};

/// How often an unknown key id may make us ask again.
const REFRESH: Duration = Duration::from_millis(200);

/// The living keys.
pub(crate) struct SigningKeys {
    source: Arc<dyn CredentialSource>,
    listed: Cache<(), Listed>,
    /// Held while they are asked for because of an unknown id.
    refreshing: tokio::sync::Mutex<()>,
}

/// What identity listed.
#[derive(Clone)]
struct Listed {
    asked_at: Instant,
    keys: Arc<[SigningKey]>,
}

impl Listed {
    fn find(&self, key_id: &str) -> Option<SigningKey> {
        self.keys.iter().find(|key| key.key_id == key_id).cloned()
    }
}

impl SigningKeys {
    /// The keys of `source`, cached until `signals` say that they changed.
    pub(crate) fn new(source: Arc<dyn CredentialSource>, signals: &Signals) -> Self {
        Self {
            source,
            listed: Cache::builder("signing_keys", signals, UNCOVERED_LIFE)
                .emptied_by::<SigningKeysChanged>()
                .build(),
            refreshing: tokio::sync::Mutex::default(),
        }
    }

    /// The living key with this id.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID when there is none, UNREACHABLE when identity cannot say.
    pub(crate) async fn find(&self, key_id: &str) -> Result<SigningKey> {
        let began = Instant::now();
        let mut listed = self.listed().await?;
        // Perhaps the keys were rotated since; unknown ids cannot make us ask all the time.
        if listed.find(key_id).is_none() && listed.asked_at < began {
            tokio::time::sleep_until(listed.asked_at + REFRESH).await;
            listed = self.listed_after(listed.asked_at).await?;
        }
        listed.find(key_id).ok_or_else(Credential::invalid)
    }

    /// Whether a key with this public half is still alive.
    ///
    /// # Errors
    /// UNREACHABLE when identity cannot say.
    pub(crate) async fn holds(&self, public_key: &[u8]) -> Result<bool> {
        let listed = self.listed().await?;
        Ok(listed.keys.iter().any(|key| key.public_key == public_key))
    }

    async fn listed(&self) -> Result<Listed> {
        self.listed.get_or_load((), self.ask()).await
    }

    /// The keys as they are now, asked for by the first who needs them after `asked_at`. What is
    /// cached stays until there is an answer.
    async fn listed_after(&self, asked_at: Instant) -> Result<Listed> {
        let _one_at_a_time = self.refreshing.lock().await;
        let listed = self.listed().await?;
        if listed.asked_at > asked_at {
            return Ok(listed);
        }
        let batch = self.listed.begin();
        let listed = self.ask().await?;
        self.listed.store(batch, (), listed.clone());
        Ok(listed)
    }

    async fn ask(&self) -> Result<Listed> {
        let asked_at = Instant::now();
        let keys = answered(self.source.signing_keys()).await?.into();
        Ok(Listed { asked_at, keys })
    }
}
