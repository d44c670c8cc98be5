//! Where credentials are looked up: identity, directly or over gRPC.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use guildhall_proto::identity::v1::{
    ListSigningKeysRequest, ResolveKeyRequest, ResolveKeyResponse, ResolveSessionRequest,
    ResolveSessionResponse, SigningKey, authentication_service_client::AuthenticationServiceClient,
    credential_service_client::CredentialServiceClient,
};
use guildhall_runtime::{Error, ErrorKind, Peer, Reason, Result, Timestamp};
use guildhall_types::{ChannelId, CommunityId, UserId};

use crate::{Authority, ChannelLimit, CredentialKind};

/// How long an introduction may take.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// How long identity may take to say who is behind a credential.
const DEADLINE: Duration = Duration::from_secs(5);

/// Identity refuses what only services of its platform may ask.
#[derive(Debug, thiserror::Error)]
#[error(
    "identity does not take this process for a service of its platform: --secret-key-file must \
     hold the same secret for all processes"
)]
struct NotOfThisPlatform;

/// Answers who is behind a credential.
#[async_trait]
pub trait CredentialSource: Send + Sync + 'static {
    /// The live key with this digest.
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>>;
    /// The present state of a user's sessions; none when they may not act.
    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>>;
    /// The public keys that JWTs are checked with.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>>;
}

/// Identity, asked over gRPC. Its calls carry a peer token: these RPCs are internal.
#[derive(Debug, Clone)]
pub struct RemoteSource {
    credentials: CredentialServiceClient<Peer>,
    authentication: AuthenticationServiceClient<Peer>,
}

impl RemoteSource {
    /// Identity behind `peer`.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self {
            credentials: CredentialServiceClient::new(peer.clone()),
            authentication: AuthenticationServiceClient::new(peer),
        }
    }
}

impl RemoteSource {
    /// Finds out whether identity takes this process for a service of the platform. While identity
    /// is unavailable this cannot be known, and that is no error.
    ///
    /// # Errors
    /// When it does not: with another secret every credential would be refused.
    pub async fn introduce(&self) -> Result<()> {
        // No key has a digest of no bytes: refused before anything is looked up.
        let mut nothing = tonic::Request::new(ResolveKeyRequest::default());
        nothing.set_timeout(INTRODUCTION);
        let answer = self.credentials.clone().resolve_key(nothing).await;
        match answer.map_err(Error::from) {
            Err(error) if error.reason() == Reason::InternalOnly => {
                Err(Error::internal(NotOfThisPlatform))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl CredentialSource for RemoteSource {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        let request = ResolveKeyRequest {
            digest: digest.to_vec(),
        };
        found(self.credentials.clone().resolve_key(request).await)
    }

    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        let request = ResolveSessionRequest {
            community_id: community.to_string(),
            user_id: user.to_string(),
        };
        found(self.credentials.clone().resolve_session(request).await)
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        let answer = self
            .authentication
            .clone()
            .list_signing_keys(ListSigningKeysRequest {})
            .await?;
        Ok(answer.into_inner().keys)
    }
}

fn found<T>(answer: Result<tonic::Response<T>, tonic::Status>) -> Result<Option<T>> {
    match answer.map_err(Error::from) {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(as_told_to_callers(error)),
    }
}

/// What identity answers, if it does so in time.
pub(crate) async fn answered<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = tokio::time::timeout(DEADLINE, answer).await;
    answer.map_err(|_| {
        Error::unavailable(
            Reason::Unreachable,
            "Credentials cannot be checked now, try again",
        )
    })?
}

/// When identity refuses this process, that is not the fault of the caller it asked about.
#[must_use]
pub fn as_told_to_callers(error: Error) -> Error {
    if error.reason() == Reason::InternalOnly {
        return Error::unavailable(Reason::Unreachable, "The service is unavailable, try again")
            .caused_by(NotOfThisPlatform);
    }
    error
}

/// A key as the caches keep it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) community: CommunityId,
    pub(crate) authority: Authority,
    pub(crate) expires_at: Option<Timestamp>,
}

impl TryFrom<ResolveKeyResponse> for Key {
    type Error = Error;

    fn try_from(key: ResolveKeyResponse) -> Result<Self> {
        let id = key.key_id.parse().map_err(Error::internal)?;
        let user = key.user_id.parse().map_err(Error::internal)?;
        let authority = match key.kind() {
            CredentialKind::SystemKey => Authority::SystemKey {
                key: id,
                maker: user,
            },
            CredentialKind::SendbirdToken => Authority::SendbirdToken {
                key: id,
                maker: user,
            },
            CredentialKind::CommunityKey => Authority::CommunityKey {
                key: id,
                maker: user,
                permissions: key.permissions().collect(),
            },
            CredentialKind::UserKey => Authority::UserKey {
                key: id,
                owner: user,
                permissions: key.permissions().collect(),
                channels: channel_limit(&key.channel_ids)?,
            },
            CredentialKind::Jwt | CredentialKind::Unspecified => {
                return Err(Error::bug("identity resolved a key of no kind"));
            }
        };
        Ok(Self {
            community: key.community_id.parse().map_err(Error::internal)?,
            authority,
            expires_at: key.expire_time.map(Timestamp::from),
        })
    }
}

fn channel_limit(ids: &[String]) -> Result<ChannelLimit> {
    if ids.is_empty() {
        return Ok(ChannelLimit::Any);
    }
    let ids = ids
        .iter()
        .map(|id| id.parse::<ChannelId>())
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    Ok(ChannelLimit::Only(std::sync::Arc::new(ids)))
}
