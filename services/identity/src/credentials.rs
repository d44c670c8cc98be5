//! Who is behind a credential: asked over gRPC, and by the access layer in this process.

use async_trait::async_trait;
use guildhall_auth::{Role, source::CredentialSource};
use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey};
use guildhall_runtime::{Result, Timestamp};

use crate::{
    Identity,
    store::{api_keys, users},
};

impl Identity {
    /// The usable key with this digest, whose user is active.
    pub(crate) async fn resolve_key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        let reader = self.0.database.reader();
        let Some(key) = api_keys::find_usable(reader, digest).await? else {
            return Ok(None);
        };
        let user = users::find(reader, key.community_id, key.user_id).await?;
        if !user.is_some_and(|user| user.is_active()) {
            return Ok(None);
        }
        key.into_resolved().map(Some)
    }

    /// The present state of a user's sessions; none when he is not active.
    pub(crate) async fn resolve_session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        let user = users::find(self.0.database.reader(), community, user).await?;
        Ok(user
            .filter(users::Model::is_active)
            .map(|user| ResolveSessionResponse {
                role: Role::from(user.role).into(),
                tokens_valid_after: Some(Timestamp::from_millis(user.tokens_valid_after).into()),
            }))
    }
}

/// Identity in the same process.
pub(crate) struct LocalSource(pub(crate) Identity);

#[async_trait]
impl CredentialSource for LocalSource {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        self.0.resolve_key(digest).await
    }

    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        self.0.resolve_session(community, user).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.0.signing_keys().await
    }
}
