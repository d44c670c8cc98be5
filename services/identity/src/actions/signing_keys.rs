//! Creates, rotates and revokes the keys that JWTs are signed with, and signs tokens.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use guildhall_auth::jwt::{self, Claims};
use guildhall_data::{Database, KeyId, Transaction, seal::upgrade::Upgrade};
use guildhall_proto::identity::v1::{ListSigningKeysRequest, ListSigningKeysResponse, SigningKey};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use guildhall_signals::SigningKeysChanged;
use sea_orm::ConnectionTrait;
use tonic::{Request, Response};
use zeroize::Zeroizing;

use crate::{
    Identity, present,
    store::{signing_keys, users},
};

/// The private half of a key, PKCS#8.
type PrivateKey = Zeroizing<Vec<u8>>;

/// A token and when it stops being valid.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) expires_at: Timestamp,
}

impl Identity {
    /// As [`valid_signing_keys`](Self::valid_signing_keys), for the other services.
    pub(crate) async fn list_signing_keys(
        &self,
        _request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>> {
        let keys = self.valid_signing_keys().await?;
        Ok(Response::new(ListSigningKeysResponse { keys }))
    }

    /// The public keys that valid tokens may be signed with; new tokens are signed with the first.
    pub(crate) async fn valid_signing_keys(&self) -> Result<Vec<SigningKey>> {
        let keys = signing_keys::list(self.0.database.reader()).await?;
        Ok(keys.into_iter().map(present::signing_key).collect())
    }

    /// Creates the first key, or checks at start that one can be opened.
    pub(crate) async fn ensure_signing_key(&self) -> Result<()> {
        let transaction = self.0.database.begin().await?;
        // Processes that start together must find each other's key.
        signing_keys::lock(&transaction).await?;
        self.signing_key(&transaction).await?;
        Database::commit(transaction).await
    }

    /// Seals the private halves for their places, unless that is done. One that does not open stays
    /// as it is.
    pub(crate) async fn seal_signing_keys_anew(&self) -> Result<()> {
        let Some(upgrade) = Upgrade::begin(&self.0.database, "places").await? else {
            return Ok(());
        };
        for key in signing_keys::current(upgrade.transaction()).await? {
            let Some(sealed) = &key.sealed_private_key else {
                continue;
            };
            let place = signing_keys::Model::place(key.key_id);
            if let Ok(Some(anew)) = self.0.sealer.seal_anew(sealed, &place) {
                signing_keys::seal_anew(upgrade.transaction(), key.key_id, anew).await?;
            }
        }
        upgrade.finish().await
    }

    /// Creates a new key and retires all others.
    pub(crate) async fn replace_signing_key(&self) -> Result<KeyId> {
        let transaction = self.0.database.begin().await?;
        signing_keys::retire_all(&transaction).await?;
        let key_id = self.add_signing_key(&transaction).await?;
        self.commit_signing_keys(transaction).await?;
        Ok(key_id)
    }

    /// Removes the key with this id, or every key without one: the tokens that it signed end. Returns
    /// the key that signs from now on, a new one if the old one is gone.
    ///
    /// # Errors
    /// KEY_NOT_FOUND.
    pub(crate) async fn remove_signing_keys(&self, key_id: Option<KeyId>) -> Result<KeyId> {
        let transaction = self.0.database.begin().await?;
        signing_keys::lock(&transaction).await?;
        if signing_keys::remove(&transaction, key_id).await? == 0 && key_id.is_some() {
            let message = "There is no signing key with this id";
            return Err(Error::new(Reason::KeyNotFound, message));
        }
        let left = signing_keys::current(&transaction).await?;
        let current = match self.first_that_opens(&left) {
            Ok((key_id, _private)) => key_id,
            Err(_) => self.add_signing_key(&transaction).await?,
        };
        self.commit_signing_keys(transaction).await?;
        Ok(current)
    }

    async fn commit_signing_keys(&self, transaction: Transaction) -> Result<()> {
        let committed = Database::commit(transaction).await;
        // Also when the outcome is unknown: a signal too many costs one look-up.
        self.0.signals.send(SigningKeysChanged);
        committed
    }

    /// A token for `user`, signed with the current key, which another process may have rotated.
    pub(crate) async fn issue_token(
        &self,
        connection: &impl ConnectionTrait,
        user: &users::Model,
    ) -> Result<Token> {
        let (key_id, private) = self.signing_key(connection).await?;
        let issued_at = Timestamp::now();
        let expires_at = Timestamp::from_millis(issued_at.as_secs() * 1000).plus(jwt::LIFETIME);
        let claims = Claims {
            _id: user.id.to_string(),
            id: user.number.to_string(),
            community_id: user.community_id.to_string(),
            iat: issued_at.as_secs(),
            exp: expires_at.as_secs(),
            session: Some(user.tokens_valid_after),
        };
        let text = jwt::sign(&claims, &key_id.to_string(), &private)?;
        Ok(Token { text, expires_at })
    }

    async fn add_signing_key(&self, transaction: &impl ConnectionTrait) -> Result<KeyId> {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(Error::internal)?;
        let public = Ed25519KeyPair::from_pkcs8(pair.as_ref()).map_err(Error::internal)?;
        let public = public.public_key().as_ref().to_vec();
        let key_id = KeyId::generate();
        let place = signing_keys::Model::place(key_id);
        let sealed = self.0.sealer.seal(pair.as_ref(), &place)?;
        signing_keys::insert(transaction, key_id, public, sealed).await?;
        Ok(key_id)
    }

    /// The key that signs: a new one where there is none, also because somebody has deleted them from
    /// the database.
    async fn signing_key(&self, connection: &impl ConnectionTrait) -> Result<(KeyId, PrivateKey)> {
        let mut keys = signing_keys::current(connection).await?;
        if keys.is_empty() {
            self.add_signing_key(connection).await?;
            keys = signing_keys::current(connection).await?;
        }
        self.first_that_opens(&keys)
    }

    /// The first of the keys that opens, so that one that was damaged keeps nobody from logging in.
    fn first_that_opens(&self, keys: &[signing_keys::Model]) -> Result<(KeyId, PrivateKey)> {
        let mut failure = Error::bug("there is no signing key");
        for key in keys {
            match self.open_private_key(key) {
                Ok(private) => return Ok((key.key_id, private)),
                Err(error) => {
                    self.log_unopened(key.key_id, &error);
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    /// Says that a key does not open, once in the life of the process.
    fn log_unopened(&self, key: KeyId, error: &Error) {
        if self.0.unopened_keys.lock().insert(key) {
            tracing::error!(%key, ?error, "a signing key does not open, and is passed over; `guildhall keys rotate` replaces all");
        }
    }

    fn open_private_key(&self, key: &signing_keys::Model) -> Result<PrivateKey> {
        let place = signing_keys::Model::place(key.key_id);
        match &key.sealed_private_key {
            Some(sealed) => self.0.sealer.open(sealed, &place),
            None => Err(Error::bug("the current signing key has no private half")),
        }
    }
}
