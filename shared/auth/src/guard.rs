//! Rate limit, credential, permission: in this order (contract: identity, "Order of checks").

use std::{sync::Arc, time::Duration};

use guildhall_proto::access::v1::CredentialKind;
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_signals::{Cache, KeyChanged, SessionChanged, Signals, coverage::UNCOVERED_LIFE};
use guildhall_types::{CommunityId, UserId};
use zeroize::Zeroizing;

use crate::{
    AccessRule, Authority, Caller, Credential, Quota, RateLimit, Role,
    credential::Scheme,
    jwt::{self, Verified},
    metrics,
    signing_keys::SigningKeys,
    source::{CredentialSource, Key, answered},
};

/// How long an entry lives without a bus: an operator who revokes a key from another process sends
/// no signal, and the keys die within a second all the same.
const LIFE_ALONE: Duration = UNCOVERED_LIFE;
/// Verified tokens that are cached.
const TOKENS: u64 = 50_000;
/// How long a verified token is cached: beside time, only the end of its key makes it wrong.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Lets callers in. Cheap to clone; one per process.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    source: Arc<dyn CredentialSource>,
    rate: RateLimit,
    keys: Cache<[u8; 32], Arc<Key>>,
    tokens: moka::sync::Cache<[u8; 32], Remembered>,
    sessions: Cache<(CommunityId, UserId), Session>,
    signing_keys: SigningKeys,
}

/// A token that was found good, by a key of which this is the public half.
#[derive(Debug, Clone)]
struct Remembered {
    token: Verified,
    signed_with: Arc<[u8]>,
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
            signing_keys: SigningKeys::new(Arc::clone(&source), signals),
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
        let token = match self.remembered(credential).await? {
            Some(token) => token,
            None => self.verify(credential).await?,
        };
        if token.expires_at <= Timestamp::now() {
            return Err(Credential::invalid());
        }
        let owner = (token.community, token.user);
        let session = self
            .sessions
            .get_or_load(owner, self.look_up_session(owner));
        let session = session.await?;
        if !token.outlives(session.tokens_valid_after) {
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

    /// Checks a token, and remembers it until its key dies, for a while at most.
    async fn verify(&self, credential: &Credential) -> Result<Verified> {
        let token = credential.secret();
        let key_id = jwt::key_id(token).ok_or_else(Credential::invalid)?;
        let key = self.signing_keys.find(&key_id).await?;
        let token = jwt::verify(token, &key.public_key)?;
        let signed_with = key.public_key.into();
        let remembered = Remembered { token, signed_with };
        self.tokens.insert(credential.digest(), remembered);
        Ok(token)
    }

    /// A token that was checked before, while its key lives.
    async fn remembered(&self, credential: &Credential) -> Result<Option<Verified>> {
        let Some(remembered) = self.tokens.get(&credential.digest()) else {
            return Ok(None);
        };
        let lives = self.signing_keys.holds(&remembered.signed_with).await?;
        Ok(lives.then_some(remembered.token))
    }
}

/// The kinds that a `Bearer` may turn out to be.
pub const BEARER_KEYS: &[CredentialKind] = &[CredentialKind::CommunityKey, CredentialKind::UserKey];
