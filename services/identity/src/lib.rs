//! Communities, users, roles, credentials and logins.
//!
//! * [`operator`]: what an operator does, past every access rule
//! * `rpc`: what callers ask, a file per gRPC service
//! * `login`, `keys`, `directory`, `credentials`: what is done for them
//! * `passwords`, `signing`: the two expensive secrets
//! * `events`: what the rest of the platform is told
//! * `domain`: rules that need no I/O
//! * `store`: entities and queries
//! * `migration`: the tables

mod credentials;
mod directory;
mod domain;
mod events;
mod keys;
mod login;
mod migration;
pub mod operator;
mod passwords;
mod rpc;
mod signing;
mod store;

use std::{sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use guildhall_auth::source::CredentialSource;
use guildhall_data::{
    CommunityId, Database, Idempotency, KeyId, Storage, idempotency, seal::Sealer, sweep,
};
use guildhall_events::Outbox;
use guildhall_proto::identity::v1::{
    ApiKey, api_key_service_server, authentication_service_server, credential_service_server,
    user_directory_service_server,
};
use guildhall_runtime::{Result, Shutdown};
use guildhall_signals::{Cache, KeyChanged, Signals, coverage::UNCOVERED_LIFE};
use tonic::service::RoutesBuilder;

pub use guildhall_proto::identity::v1::User;
pub use operator::{Bootstrapped, Community, NewCommunity, NewMember};

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
    /// Keys as their holders are shown them. An operator who revokes one from another process sends
    /// no signal without a bus, so they live no longer than the guard lets a revoked key in.
    shown_keys: Cache<(CommunityId, KeyId), ApiKey>,
    passwords: Passwords,
    /// Seals the private halves of signing keys.
    sealer: Sealer,
    /// Under which login attempts are hashed: a password typed for a username must not be stored.
    attempts_key: hmac::Key,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// The full names of its gRPC services.
    pub const SERVICES: &'static [&'static str] = &[
        authentication_service_server::SERVICE_NAME,
        api_key_service_server::SERVICE_NAME,
        user_directory_service_server::SERVICE_NAME,
        credential_service_server::SERVICE_NAME,
    ];

    /// Opens its database in `storage`, makes what is missing, and sweeps it until `shutdown`.
    /// `secret` is the platform's; revocations are told to `signals`.
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
            // Keys change rarely: which of them it was need not be known.
            shown_keys: Cache::builder("shown_keys", &signals, UNCOVERED_LIFE)
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

    /// Adds the gRPC services of [`SERVICES`](Self::SERVICES). They trust the access layer in
    /// front of them.
    pub fn add_services(&self, routes: &mut RoutesBuilder) {
        rpc::add_services(self, routes);
    }

    /// What it tells the rest of the platform.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Where an access layer in this process looks credentials up.
    #[must_use]
    pub fn credential_source(&self) -> Arc<dyn CredentialSource> {
        Arc::new(credentials::LocalSource(self.clone()))
    }
}
