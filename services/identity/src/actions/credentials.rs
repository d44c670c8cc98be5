//! Looks up credentials for the access layer: who is behind this key or token?

use guildhall_data::{CommunityId, UserId};
use guildhall_proto::identity::v1::{ResolveKeyResponse, ResolveSessionResponse};
use guildhall_runtime::Result;

use crate::{
    Identity, present,
    store::{api_keys, users},
};

impl Identity {
    /// The usable key with this digest, whose user is active.
    pub(crate) async fn find_key(&self, digest: [u8; 32]) -> Result<Option<ResolveKeyResponse>> {
        let reader = self.0.database.reader();
        let Some(key) = api_keys::find_usable(reader, digest).await? else {
            return Ok(None);
        };
        let user = users::find(reader, key.community_id, key.user_id).await?;
        if !user.is_some_and(|user| user.is_active()) {
            return Ok(None);
        }
        present::resolved_key(key).map(Some)
    }

    /// The current state of the sessions of an active user.
    pub(crate) async fn find_session(
        &self,
        community: CommunityId,
        user: UserId,
    ) -> Result<Option<ResolveSessionResponse>> {
        let user = users::find(self.0.database.reader(), community, user).await?;
        let active = user.filter(users::Model::is_active);
        Ok(active.map(|user| present::session(&user)))
    }
}
