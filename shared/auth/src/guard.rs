//! Rate limit, credential, permission: in this order (contract: identity, "Order of checks").

use std::{future::Future, sync::Arc, time::Duration};

use guildhall_proto::{access::v1::CredentialKind, identity::v1::SigningKey};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_signals::{Cache, KeyChanged, SessionChanged, Signals, coverage::UNCOVERED_LIFE};
use guildhall_types::{CommunityId, UserId};
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::{
    AccessRule, Authority, Caller, Credential, Quota, RateLimit, Role,
    credential::Scheme,
    jwt::{self, Verified},
    metrics,
    source::{CredentialSource, Key},
};

/// How long an entry lives without a bus: an operator who revokes a key from another process sends
/// no signal, and the keys die within a second all the same.
const LIFE_ALONE: Duration = UNCOVERED_LIFE;
/// How long identity may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Verified tokens that are cached.
const TOKENS: u64 = 50_000;
/// How long a verified token is cached: nothing but time can make it wrong.
const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// How often an unknown key id may make us ask for the signing keys again.
const KEYS_REFRESH: Duration = Duration::from_millis(200);

/// Lets callers in. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    source: Arc<dyn CredentialSource>,
    rate: RateLimit,
    keys: Cache<[u8; 32], Arc<Key>>,
    tokens: moka::sync::Cache<[u8; 32], Verified>,
    sessions: Cache<(CommunityId, UserId), Session>,
    signing_keys: RwLock<(Timestamp, Arc<[SigningKey]>)>,
    /// Held while the signing keys are asked for.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    role: Role,
    tokens_valid_after: Timestamp,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that asks `source`, and caches the answers until `signals` say that they changed.
    pub fn new(source: Arc<dyn CredentialSource>, rate: RateLimit, signals: &Signals) -> Self {
        metrics::prepare();
        Self(Arc::new(Inner {
            source,
            rate,
            keys: Cache::builder("keys", signals, LIFE_ALONE)
                .invalidated_by(|changed: &KeyChanged| changed.digest)
                .build(),
            tokens: moka::sync::Cache::builder()
                .max_capacity(TOKENS)
                .time_to_live(TOKEN_LIFE)
                .build(),
            sessions: Cache::builder("sessions", signals, LIFE_ALONE)
                .invalidated_by(|changed: &SessionChanged| (changed.community, changed.user))
                .build(),
            signing_keys: RwLock::new((Timestamp::from_millis(0), Arc::new([]))),
            refreshing: tokio::sync::Mutex::default(),
        }))
    }

    /// Counts a request against the limit of its credential.
    ///
    /// # Errors
    /// RATE_LIMITED, with the time to wait.
    pub fn count(&self, credential: Option<&Credential>) -> Result<Option<Quota>> {
        match credential {
            Some(credential) => self.0.rate.count(&credential.digest()),
            None => Ok(None),
        }
    }

    /// The limit in force, requests per second.
    #[must_use]
    pub fn rate_limit(&self) -> Option<u32> {
        self.0.rate.limit()
    }

    /// Finds out who calls and whether `rule` lets them in; a public rule needs no caller.
    ///
    /// # Errors
    /// CREDENTIAL_MISSING, CREDENTIAL_INVALID, PERMISSION_MISSING, ROLE_MISSING.
    pub async fn admit(
        &self,
        credential: Option<&Credential>,
        rule: &AccessRule,
    ) -> Result<Option<Arc<Caller>>> {
        match rule {
            AccessRule::Public => return Ok(None),
            AccessRule::Internal | AccessRule::Credential { .. } => {}
        }
        let caller = self.identify(credential, rule).await;
        let caller = caller.inspect_err(metrics::count_refusal)?;
        Ok(Some(Arc::new(caller)))
    }

    async fn identify(&self, credential: Option<&Credential>, rule: &AccessRule) -> Result<Caller> {
        let credential =
            credential.ok_or_else(|| Error::new(Reason::CredentialMissing, "Invalid token"))?;
        let caller = self.authenticate(credential).await?;
        rule.check(&caller)?;
        Ok(caller)
    }

    /// Finds out who is behind a credential.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID when there is nobody, UNREACHABLE when identity cannot say.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Caller> {
        let (community, authority, expires_at) = if credential.is_jwt() {
            self.0.member(credential).await?
        } else {
            self.0.key(credential).await?
        };
        Ok(Caller {
            community,
            authority,
            expires_at,
            seal_secret: Zeroizing::new(credential.secret().as_bytes().to_vec()),
        })
    }
}

/// What identity answers, if it does so in time.
async fn answered<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(DEADLINE, answer).await;
    answer.map_err(|_| {
        Error::unavailable(
            Reason::Unreachable,
            "Credentials cannot be checked now, try again",
        )
    })?
}

impl Inner {
    async fn key(
        &self,
        credential: &Credential,
    ) -> Result<(CommunityId, Authority, Option<Timestamp>)> {
        let digest = credential.digest();
        let key = self.keys.get_or_load(digest, self.look_up_key(digest));
        let key = key.await?;
        let announced = match credential.scheme() {
            Scheme::Bearer => {
                matches!(
                    key.authority,
                    Authority::CommunityKey { .. } | Authority::UserKey { .. }
                )
            }
            Scheme::SystemKey => matches!(key.authority, Authority::SystemKey { .. }),
            Scheme::SendbirdToken => matches!(key.authority, Authority::SendbirdToken { .. }),
        };
        let expired = key.expires_at.is_some_and(|at| at <= Timestamp::now());
        if !announced || expired {
            return Err(Credential::invalid());
        }
        Ok((key.community, key.authority.clone(), key.expires_at))
    }

    async fn look_up_key(&self, digest: [u8; 32]) -> Result<Arc<Key>> {
        let found = answered(self.source.key(digest)).await?;
        Key::try_from(found.ok_or_else(Credential::invalid)?).map(Arc::new)
    }

    async fn member(
        &self,
        credential: &Credential,
    ) -> Result<(CommunityId, Authority, Option<Timestamp>)> {
        let digest = credential.digest();
        let token = match self.tokens.get(&digest) {
            Some(token) => token,
            None => {
                let token = self.verify(credential.secret()).await?;
                self.tokens.insert(digest, token);
                token
            }
        };
        if token.expires_at <= Timestamp::now() {
            return Err(Credential::invalid());
        }
        let owner = (token.community, token.user);
        let session = self
            .sessions
            .get_or_load(owner, self.look_up_session(owner));
        let session = session.await?;
        if token.issued_at < session.tokens_valid_after {
            return Err(Credential::invalid());
        }
        let authority = Authority::Member {
            user: token.user,
            role: session.role,
        };
        Ok((token.community, authority, Some(token.expires_at)))
    }

    async fn look_up_session(&self, (community, user): (CommunityId, UserId)) -> Result<Session> {
        let found = answered(self.source.session(community, user)).await?;
        let found = found.ok_or_else(Credential::invalid)?;
        Ok(Session {
            role: found.role(),
            tokens_valid_after: found
                .tokens_valid_after
                .map_or(Timestamp::from_millis(0), Timestamp::from),
        })
    }

    async fn verify(&self, token: &str) -> Result<Verified> {
        let key_id = jwt::key_id(token).ok_or_else(Credential::invalid)?;
        let known = |keys: &[SigningKey]| keys.iter().find(|key| key.key_id == key_id).cloned();
        let (asked_at, keys) = self.signing_keys.read().clone();
        let key = match known(&keys) {
            Some(key) => Some(key),
            None => {
                // Perhaps the keys were rotated since; unknown ids cannot make us ask all the time.
                let now = Timestamp::now();
                let wait = asked_at.plus(KEYS_REFRESH).as_millis() - now.as_millis();
                if let Ok(wait @ 1..) = u64::try_from(wait) {
                    tokio::time::sleep(Duration::from_millis(wait).min(KEYS_REFRESH)).await;
                }
                known(&self.refreshed_keys(asked_at).await?)
            }
        };
        jwt::verify(token, &key.ok_or_else(Credential::invalid)?.public_key)
    }

    /// The signing keys as they are now, asked for by the first who needs them after `asked_at`.
    async fn refreshed_keys(&self, asked_at: Timestamp) -> Result<Arc<[SigningKey]>> {
        let _one_at_a_time = self.refreshing.lock().await;
        let (since, keys) = self.signing_keys.read().clone();
        if since != asked_at {
            return Ok(keys);
        }
        let keys: Arc<[SigningKey]> = answered(self.source.signing_keys()).await?.into();
        *self.signing_keys.write() = (Timestamp::now(), Arc::clone(&keys));
        Ok(keys)
    }
}

/// The kinds that a `Bearer` may turn out to be.
pub const BEARER_KEYS: &[CredentialKind] = &[CredentialKind::CommunityKey, CredentialKind::UserKey];
