//! An incoming webhook as its callers meet it.

use guildhall_data::{CommunityId, WebhookId, seal::Sealer};
use guildhall_proto::webhooks::v1::IncomingSettings;
use guildhall_runtime::{Error, Result};
use prost::Message;

use crate::{
    domain::{
        AesKey, Mode, api_key,
        incoming::{Kind, Settings},
    },
    store::incoming::Model,
};

/// What calls need of it, opened.
#[derive(Debug)]
pub struct Endpoint {
    /// The community in which it acts.
    pub community: CommunityId,
    /// The webhook.
    pub id: WebhookId,
    /// What it does.
    pub kind: Kind,
    /// What its callers may do.
    pub settings: Settings,
    /// How bodies are encrypted, when they are.
    pub encryption: Option<(Mode, AesKey)>,
    /// The digest of the key that callers must present, when they must.
    api_key_digest: Option<Vec<u8>>,
}

impl Endpoint {
    /// Opens what is sealed of a webhook.
    ///
    /// # Errors
    /// INTERNAL when the row was damaged.
    pub fn open(webhook: &Model, sealer: &Sealer) -> Result<Self> {
        let settings = IncomingSettings::decode(&*webhook.settings).map_err(Error::internal)?;
        Ok(Self {
            community: webhook.community_id,
            id: webhook.id,
            kind: webhook.kind,
            settings: Settings::parse(&settings).map_err(Error::internal)?,
            encryption: cipher(webhook, sealer)?,
            api_key_digest: webhook
                .api_key_enabled
                .then(|| webhook.api_key_digest.clone().unwrap_or_default()),
        })
    }

    /// Lets in who presents the API key, where one is asked for.
    ///
    /// # Errors
    /// CREDENTIAL_MISSING, CREDENTIAL_INVALID.
    pub fn admit(&self, presented: &str) -> Result<()> {
        match &self.api_key_digest {
            Some(digest) => api_key::check(digest, presented),
            None => Ok(()),
        }
    }
}

fn cipher(webhook: &Model, sealer: &Sealer) -> Result<Option<(Mode, AesKey)>> {
    if !webhook.encryption_enabled {
        return Ok(None);
    }
    let sealed = webhook.encryption_key.as_deref().unwrap_or_default();
    let key = sealer.open(sealed, &webhook.key_place())?;
    let key = std::str::from_utf8(&key).map_err(Error::internal)?;
    let key = AesKey::parse(key).map_err(Error::internal)?;
    Ok(Some((webhook.encryption_mode, key)))
}
