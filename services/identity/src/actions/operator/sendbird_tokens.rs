//! Creates and revokes tokens of the Sendbird facade.

use guildhall_data::{CommunityId, Database, KeyId, UserId};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::ConnectionTrait;
use zeroize::Zeroizing;

use crate::{
    Identity,
    domain::{KeyKind, key_spec::KeySpec, key_text::KeyText},
    store::{
        api_keys::{self, NewKey},
        communities,
    },
};

impl Identity {
    /// Creates a token of the Sendbird facade, in the owner's name.
    ///
    /// # Errors
    /// COMMUNITY_NOT_FOUND, WRONG_STATE when there are too many.
    pub async fn create_sendbird_token(
        &self,
        community: CommunityId,
    ) -> Result<(KeyId, Zeroizing<String>)> {
        let transaction = self.0.database.begin().await?;
        let owner = communities::get(&transaction, community).await?.owner_id;
        let (kind, spec) = (KeyKind::Sendbird, token_spec());
        let created = insert_key(&transaction, community, owner, kind, spec).await?;
        Database::commit(transaction).await?;
        Ok(created)
    }

    /// Revokes a token of the Sendbird facade.
    ///
    /// # Errors
    /// KEY_NOT_FOUND.
    pub async fn revoke_sendbird_token(&self, community: CommunityId, id: KeyId) -> Result<()> {
        let is_token = |key: &api_keys::Model| key.kind == KeyKind::Sendbird;
        let revoked = self.revoke_key(community, id, is_token).await;
        revoked
            .map(drop)
            .map_err(|error| match error.reason() == Reason::KeyNotFound {
                true => Error::new(
                    Reason::KeyNotFound,
                    "There is no Sendbird token with this id",
                ),
                false => error,
            })
    }
}

/// The settings of a new token. Its name is generated, so that a community can have several.
pub(super) fn token_spec() -> KeySpec {
    KeySpec::named(format!("Sendbird token {}", KeyId::generate()))
}

/// Stores a new key; returns its id and its text.
pub(super) async fn insert_key(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    user: UserId,
    kind: KeyKind,
    spec: KeySpec,
) -> Result<(KeyId, Zeroizing<String>)> {
    let text = KeyText::generate(kind)?;
    let new = NewKey {
        community,
        kind,
        user,
        spec,
        text: &text,
    };
    let key = api_keys::insert(transaction, new).await?;
    Ok((key.id, text.reveal()))
}
