//! Looks up credentials for the access layer: who is behind this key or token?

use guildhall_data::{CommunityId, UserId, id};
use guildhall_proto::identity::v1::{
    ResolveKeyRequest, ResolveKeyResponse, ResolveSessionRequest, ResolveSessionResponse,
};
use guildhall_runtime::{Error, Result};
use tonic::{Request, Response};

use crate::{
    Identity, present,
    store::{api_keys, users},
};

impl Identity {
    /// The usable key that a request asks for.
    ///
    /// # Errors
    /// INVALID_VALUE, KEY_NOT_FOUND.
    pub(crate) async fn resolve_key(
        &self,
        request: Request<ResolveKeyRequest>,
    ) -> Result<Response<ResolveKeyResponse>> {
        let digest = request.into_inner().digest.try_into();
        let digest = digest.map_err(|_| Error::invalid("digest", "digest must be 32 bytes"))?;
        let key = self.find_key(digest).await?;
        Ok(Response::new(key.ok_or_else(api_keys::not_found)?))
    }

    /// The sessions that a request asks for.
    ///
    /// # Errors
    /// INVALID_VALUE, USER_NOT_FOUND.
    pub(crate) async fn resolve_session(
        &self,
        request: Request<ResolveSessionRequest>,
    ) -> Result<Response<ResolveSessionResponse>> {
        let request = request.into_inner();
        let community = id::parse("community_id", &request.community_id)?;
        let user = id::parse("user_id", &request.user_id)?;
        let session = self.find_session(community, user).await?;
        Ok(Response::new(session.ok_or_else(users::not_found)?))
    }

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
