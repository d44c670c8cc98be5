//! Making and revoking keys (contract: identity, section 7).

use guildhall_auth::Role;
use guildhall_data::{CommunityId, Database, KeyId, Ticket, UserId};
use guildhall_proto::identity::v1::ApiKey;
use guildhall_runtime::Result;
use guildhall_signals::KeyChanged;
use prost::Message;
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::{key_spec::KeySpec, key_text::KeyText},
    store::api_keys::{self, Kind, Model, NewKey},
};

/// A key that somebody wants.
pub(crate) struct Wanted {
    pub(crate) community: CommunityId,
    pub(crate) kind: Kind,
    /// The user of a user key, or who makes it.
    pub(crate) user: UserId,
    pub(crate) spec: KeySpec,
}

impl Identity {
    /// Makes a key and records the answer that shows it, the only one.
    ///
    /// # Errors
    /// ALREADY_EXISTS, WRONG_STATE when there are too many.
    pub(crate) async fn create_key<A: Message>(
        &self,
        wanted: Wanted,
        ticket: &Ticket,
        answer: impl FnOnce(ApiKey, Zeroizing<String>) -> A,
    ) -> Result<A> {
        let Wanted {
            community,
            kind,
            user,
            spec,
        } = wanted;
        let text = KeyText::generate(kind)?;
        let transaction = self.0.database.begin().await?;
        let new = NewKey {
            community,
            kind,
            user,
            spec,
            text: &text,
        };
        let key = api_keys::insert(&transaction, new).await?;
        let answer = answer(key.into(), text.reveal());
        ticket.record(&transaction, &answer).await?;
        Database::commit(transaction).await?;
        Ok(answer)
    }

    /// The key with which somebody calls.
    ///
    /// # Errors
    /// KEY_NOT_FOUND when it was revoked meanwhile.
    pub(crate) async fn key(&self, community: CommunityId, id: KeyId) -> Result<ApiKey> {
        let look_up = async {
            let found = api_keys::find(self.0.database.reader(), community, id).await;
            found.map(ApiKey::from)
        };
        self.0
            .shown_keys
            .get_or_load((community, id), look_up)
            .await
    }

    /// Revokes a key that a member may revoke: his own, or as an admin any of the community.
    ///
    /// # Errors
    /// KEY_NOT_FOUND, also for a key that is not his to revoke.
    pub(crate) async fn delete_key(
        &self,
        community: CommunityId,
        id: KeyId,
        user: UserId,
        role: Role,
    ) -> Result<ApiKey> {
        let may_delete = |key: &Model| match key.kind {
            Kind::User => key.user_id == user,
            Kind::Community => role >= Role::Admin,
            Kind::System | Kind::Sendbird => false,
        };
        Ok(self.revoke_key(community, id, may_delete).await?.into())
    }

    /// Revokes a key and tells every cache.
    ///
    /// # Errors
    /// KEY_NOT_FOUND, also when `may_revoke` says no.
    pub(crate) async fn revoke_key(
        &self,
        community: CommunityId,
        id: KeyId,
        may_revoke: impl FnOnce(&Model) -> bool,
    ) -> Result<Model> {
        let transaction = self.0.database.begin().await?;
        let key = api_keys::find(&transaction, community, id).await?;
        if !may_revoke(&key) {
            return Err(api_keys::not_found());
        }
        let digest = key.digest()?;
        api_keys::delete(&transaction, &key).await?;
        let committed = Database::commit(transaction).await;
        // Also when the outcome is unknown: forgetting too much costs one look-up.
        self.0.signals.send(KeyChanged { digest });
        committed.map(|()| key)
    }
}
