//! Creates, shows and deletes API keys (contract: identity, section 7).

use guildhall_auth::{Caller, CallerExt, Role};
use guildhall_data::{CommunityId, Database, KeyId, id, idempotency::Answer};
use guildhall_proto::identity::v1::{
    ApiKey, CreateCommunityApiKeyRequest, CreateCommunityApiKeyResponse, CreateUserApiKeyRequest,
    CreateUserApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse, GetCurrentApiKeyRequest,
    GetCurrentApiKeyResponse,
};
use guildhall_runtime::{Result, Timestamp};
use guildhall_signals::KeyChanged;
use sea_orm::ConnectionTrait;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::{KeyKind, key_spec::KeySpec, key_text::KeyText},
    present,
    store::api_keys::{self, Model, NewKey},
};

impl Identity {
    /// Creates a key of the caller's community. Its text is in this response alone.
    ///
    /// # Errors
    /// Those of the settings, ALREADY_EXISTS, WRONG_STATE when there are too many.
    pub(crate) async fn create_community_api_key(
        &self,
        request: Request<CreateCommunityApiKeyRequest>,
    ) -> Result<Response<CreateCommunityApiKeyResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let spec = KeySpec::for_community(request.spec, Timestamp::now())?;
            let transaction = write.begin().await?;
            let kind = KeyKind::Community;
            let (api_key, key) = insert(&transaction, &write.caller, kind, spec).await?;
            let response = CreateCommunityApiKeyResponse {
                api_key: Some(api_key),
                key: key.to_string(),
            };
            write.finish(transaction, response).await
        });
        write.await
    }

    /// Creates a key that acts as the caller. Its text is in this response alone.
    ///
    /// # Errors
    /// Those of the settings, ALREADY_EXISTS, WRONG_STATE when there are too many.
    pub(crate) async fn create_user_api_key(
        &self,
        request: Request<CreateUserApiKeyRequest>,
    ) -> Result<Response<CreateUserApiKeyResponse>> {
        let writes = &self.0.writes;
        let write = writes.run(request, Answer::Secret, |write, request| async move {
            let spec = KeySpec::for_user(request.spec, Timestamp::now())?;
            let transaction = write.begin().await?;
            let kind = KeyKind::User;
            let (api_key, key) = insert(&transaction, &write.caller, kind, spec).await?;
            let response = CreateUserApiKeyResponse {
                api_key: Some(api_key),
                key: key.to_string(),
            };
            write.finish(transaction, response).await
        });
        write.await
    }

    /// The key that the caller calls with.
    ///
    /// # Errors
    /// KEY_NOT_FOUND when it is not a key, or was deleted meanwhile.
    pub(crate) async fn get_current_api_key(
        &self,
        request: Request<GetCurrentApiKeyRequest>,
    ) -> Result<Response<GetCurrentApiKeyResponse>> {
        let caller = request.caller()?;
        let id = caller.key().ok_or_else(api_keys::not_found)?;
        let load = async {
            let key = api_keys::get(self.0.database.reader(), caller.community, id).await;
            key.map(present::api_key)
        };
        let cache = &self.0.current_keys;
        let api_key = cache.get_or_load((caller.community, id), load).await?;
        Ok(Response::new(GetCurrentApiKeyResponse {
            api_key: Some(api_key),
        }))
    }

    /// Deletes a key that the caller may delete: their own, or any of the community as an admin.
    ///
    /// # Errors
    /// KEY_NOT_FOUND, also for a key that the caller may not delete.
    pub(crate) async fn delete_api_key(
        &self,
        request: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>> {
        let caller = request.caller()?;
        let id = id::parse("id", &request.get_ref().id)?;
        let may_delete = |key: &Model| match key.kind {
            KeyKind::User => key.user_id == caller.user(),
            KeyKind::Community => caller.role().is_some_and(|role| role >= Role::Admin),
            KeyKind::System | KeyKind::Sendbird => false,
        };
        let key = self.revoke_key(caller.community, id, may_delete).await?;
        let api_key = Some(present::api_key(key));
        Ok(Response::new(DeleteApiKeyResponse { api_key }))
    }

    /// Deletes a key and invalidates every cache that may hold it.
    ///
    /// # Errors
    /// KEY_NOT_FOUND, also when `may_delete` refuses.
    pub(crate) async fn revoke_key(
        &self,
        community: CommunityId,
        id: KeyId,
        may_delete: impl FnOnce(&Model) -> bool,
    ) -> Result<Model> {
        let transaction = self.0.database.begin().await?;
        let key = api_keys::get(&transaction, community, id).await?;
        if !may_delete(&key) {
            return Err(api_keys::not_found());
        }
        let digest = key.digest()?;
        api_keys::remove(&transaction, &key).await?;
        let committed = Database::commit(transaction).await;
        // Also when the outcome is unknown: an invalidation too many costs one look-up.
        self.0.signals.send(KeyChanged { digest });
        committed.map(|()| key)
    }
}

/// Stores a new key of the caller; returns it with its text.
async fn insert(
    transaction: &impl ConnectionTrait,
    caller: &Caller,
    kind: KeyKind,
    spec: KeySpec,
) -> Result<(ApiKey, Zeroizing<String>)> {
    let text = KeyText::generate(kind)?;
    let new = NewKey {
        community: caller.community,
        kind,
        user: caller.user(),
        spec,
        text: &text,
    };
    let key = api_keys::insert(transaction, new).await?;
    Ok((present::api_key(key), text.reveal()))
}
