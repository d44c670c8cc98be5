//! Lets an access layer in this process look up credentials without a network call.

use async_trait::async_trait;
use guildhall_auth::source::CredentialSource;
use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{ResolveKeyResponse, ResolveSessionResponse, SigningKey};
use guildhall_runtime::Result;

use crate::Identity;

/// Identity in the same process.
pub(crate) struct LocalSource(pub(crate) Identity);

#[async_trait]
impl CredentialSource for LocalSource {
    async fn key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        self.0.find_key(digest).await
    }

    async fn session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        self.0.find_session(community, user).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.0.valid_signing_keys().await
    }
}
