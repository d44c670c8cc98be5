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

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use guildhall_auth::source::CredentialSource;
use guildhall_data::{
    CommunityId, Database, Idempotency, KeyId, Storage, idempotency, seal::Sealer, sweep,
};
use guildhall_events::Outbox;
use guildhall_proto::identity::v1::ApiKey;
use guildhall_runtime::{Result, Shutdown};
use guildhall_signals::{Cache, KeyChanged, Signals, coverage::UNCOVERED_LIFE};
use tonic::service::RoutesBuilder;

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
    idempotency: Idempotency,
    signals: Signals,
    outbox: Outbox,
    /// Keys as `GetCurrentApiKey` shows them. Without a bus, an operator who revokes a key from
    /// another process sends no signal, so entries live no longer than the guard accepts a revoked
    /// key.
    current_keys: Cache<(CommunityId, KeyId), ApiKey>,
    passwords: Passwords,
    /// Seals the private halves of signing keys.
    sealer: Sealer,
    /// Keys the hash of login attempts: a password typed in the wrong field must not be stored.
    attempts_key: hmac::Key,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// The full names of its gRPC services.
    pub const SERVICES: &'static [&'static str] = rpc::SERVICES;

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
        let database = Database::open::<migration::Migrator>(storage, "identity").await?;
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let attempts_key = hmac::sign(&root, b"guildhall login attempts");
        let identity = Self(Arc::new(Inner {
            idempotency: Idempotency::new(database.clone()),
            // Keys change rarely, so a change removes all entries.
            current_keys: Cache::builder("shown_keys", &signals, UNCOVERED_LIFE)
                .emptied_by::<KeyChanged>()
                .build(),
            signals,
            outbox: Outbox::open(&database, "identity"),
            passwords: Passwords::start().await?,
            sealer: Sealer::derive(secret, b"jwt signing keys")?,
            attempts_key: hmac::Key::new(hmac::HMAC_SHA256, attempts_key.as_ref()),
            database,
        }));
        identity.ensure_signing_key().await?;
        identity.sweep(shutdown);
        Ok(identity)
    }

    fn sweep(&self, shutdown: &Shutdown) {
        let database = &self.0.database;
        let at_once = Duration::ZERO;
        sweep::start::<idempotency::entity::Entity>(
            database.clone(),
            idempotency::entity::Column::ExpiresAt,
            at_once,
            shutdown.clone(),
        );
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

    /// Adds the gRPC services of [`SERVICES`](Self::SERVICES). They rely on the access layer in
    /// front of them.
    pub fn add_services(&self, routes: &mut RoutesBuilder) {
        rpc::add_services(self, routes);
    }

    /// The events that it publishes.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Where an access layer in this process looks up credentials.
    #[must_use]
    pub fn credential_source(&self) -> Arc<dyn CredentialSource> {
        Arc::new(credential_source::LocalSource(self.clone()))
    }
}
