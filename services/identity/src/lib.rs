//! Communities, users, roles, credentials and logins.
//!
//! * `rpc`: a file per gRPC service
//! * `actions`: a file per use case, with its transaction
//! * `domain`: rules without I/O
//! * `store`: entities and queries
//! * `present`: stored records as they look in answers
//! * `events`: what the rest of the platform is told
//! * `migration`: the tables
//!
//! Two files serve the whole service: `passwords` hashes them on a bounded number of threads, and
//! `credential_source` answers the access layer in the same process.

mod actions;
mod credential_source;
mod domain;
mod events;
mod migration;
mod passwords;
mod present;
mod rpc;
mod store;

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use guildhall_auth::source::CredentialSource;
use guildhall_catalog::IDENTITY;
use guildhall_data::{CommunityId, Database, KeyId, Storage, seal::Sealer, sweep};
use guildhall_events::Outbox;
use guildhall_proto::identity::v1::ApiKey;
use guildhall_runtime::{Result, Shutdown};
use guildhall_server::Rpcs;
use guildhall_service::{Context, Environment, Running, Service};
use guildhall_signals::{Cache, KeyChanged, Signals, coverage::UNCOVERED_LIFE};
use guildhall_writes::Writes;
use parking_lot::Mutex;

pub use actions::operator::{Bootstrapped, Community, NewCommunity, NewMember};
pub use guildhall_proto::identity::v1::User;

use crate::{
    passwords::Passwords,
    store::{login_attempts, signing_keys},
};

/// The identity service. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    database: Database,
    writes: Writes,
    signals: Signals,
    outbox: Outbox,
    /// Keys as `GetCurrentApiKey` shows them. Without a bus, an operator who revokes a key from
    /// another process sends no signal, so entries live no longer than the guard accepts a revoked
    /// key.
    current_keys: Cache<(CommunityId, KeyId), ApiKey>,
    passwords: Passwords,
    /// Seals the private halves of signing keys.
    sealer: Sealer,
    /// The signing keys that the log says do not open.
    unopened_keys: Mutex<HashSet<KeyId>>,
    /// Keys the hash of login attempts: a password typed in the wrong field must not be stored.
    attempts_key: hmac::Key,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Opens its database in `storage`, creates what is missing, and sweeps it until `shutdown`.
    /// `secret` is the platform's; revocations are sent to `signals`.
    ///
    /// # Errors
    /// When the database cannot be opened, or was sealed under another secret.
    pub async fn open(
        storage: &Storage,
        secret: &[u8],
        signals: Signals,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let identity = Self::assemble(storage, secret, signals, shutdown).await?;
        identity.ensure_signing_key().await?;
        identity.sweep(shutdown);
        Ok(identity)
    }

    /// Replaces the keys that JWTs are signed with where the secret is lost that they are sealed
    /// with: [`open`](Self::open) fails until then. The id of the new key, sealed with `secret`.
    ///
    /// # Errors
    /// When the database cannot be opened or does not answer.
    pub async fn replace_lost_signing_keys(storage: &Storage, secret: &[u8]) -> Result<String> {
        let (signals, shutdown) = (Signals::default(), Shutdown::default());
        let identity = Self::assemble(storage, secret, signals, &shutdown).await?;
        identity.rotate_signing_key().await
    }

    /// Its parts, whether it can sign tokens or not.
    async fn assemble(
        storage: &Storage,
        secret: &[u8],
        signals: Signals,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let database = Database::open::<migration::Migrator>(storage, IDENTITY.name);
        let (database, passwords) = (database.await?, Passwords::start()?);
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let attempts_key = hmac::sign(&root, b"guildhall login attempts");
        let identity = Self(Arc::new(Inner {
            writes: Writes::open(&database, shutdown),
            // Keys change rarely, so a change removes all entries.
            current_keys: Cache::builder("shown_keys", &signals, UNCOVERED_LIFE)
                .emptied_by::<KeyChanged>()
                .build(),
            signals,
            outbox: Outbox::open(&database, IDENTITY.name),
            passwords,
            sealer: Sealer::derive(secret, b"jwt signing keys")?,
            unopened_keys: Mutex::default(),
            attempts_key: hmac::Key::new(hmac::HMAC_SHA256, attempts_key.as_ref()),
            database,
        }));
        identity.seal_signing_keys_anew().await?;
        Ok(identity)
    }

    fn sweep(&self, shutdown: &Shutdown) {
        let database = &self.0.database;
        let at_once = Duration::ZERO;
        sweep::start::<login_attempts::Entity>(
            database.clone(),
            login_attempts::Column::ExpiresAt,
            at_once,
            shutdown.clone(),
        );
        sweep::start::<signing_keys::Entity>(
            database.clone(),
            signing_keys::Column::RetiredAt,
            signing_keys::LISTED_AFTER_RETIREMENT,
            shutdown.clone(),
        );
    }

    /// Where an access layer in this process looks up credentials.
    #[must_use]
    pub fn credential_source(&self) -> Arc<dyn CredentialSource> {
        Arc::new(credential_source::LocalSource(self.clone()))
    }
}

#[async_trait]
impl Service for Identity {
    const ENTRY: &'static guildhall_catalog::Service = IDENTITY;
    type Settings = ();

    async fn open(context: Context<'_, ()>) -> Result<Self> {
        let Environment {
            storage,
            secret,
            signals,
            shutdown,
            ..
        } = context.environment;
        Self::open(storage, secret, signals.clone(), shutdown).await
    }
}

#[async_trait]
impl Running for Identity {
    fn add_services(&self, rpcs: &mut Rpcs) {
        rpc::add_services(self, rpcs);
    }

    fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    fn credential_source(&self) -> Option<Arc<dyn CredentialSource>> {
        Some(self.credential_source())
    }
}
