//! Ends JWTs before they expire: all that a key signed, or all of a user.

use guildhall_data::{CommunityId, Database, KeyId, UserId};
use guildhall_proto::identity::v1::User;
use guildhall_runtime::Result;
use guildhall_signals::SessionChanged;

use crate::{
    Identity, present,
    store::users::{self, not_found},
};

impl Identity {
    /// Deletes a key that JWTs are signed with, or every key without an id. The tokens that it signed
    /// end at once. Returns the id of the key that signs from now on.
    ///
    /// # Errors
    /// KEY_NOT_FOUND.
    pub async fn revoke_signing_keys(&self, key_id: Option<KeyId>) -> Result<String> {
        Ok(self.remove_signing_keys(key_id).await?.to_string())
    }

    /// Ends all JWTs of a user, who is named by id, e-mail address or username, and may log in again.
    ///
    /// # Errors
    /// USER_NOT_FOUND.
    pub async fn revoke_sessions(&self, community: CommunityId, user: &str) -> Result<User> {
        let found = self.find_reference(community, user).await?;
        let user = found.ok_or_else(not_found)?;
        let id: UserId = user.id;
        let transaction = self.0.database.begin().await?;
        users::end_tokens(&transaction, community, id).await?;
        let committed = Database::commit(transaction).await;
        // Also when the outcome is unknown: a signal too many costs one look-up.
        self.0.signals.send(SessionChanged {
            community,
            user: id,
        });
        committed.map(|()| present::user(user))
    }
}
