//! Where deliveries of a webhook go, and with which secrets.

use guildhall_data::seal::Sealer;
use guildhall_runtime::{Error, Result, Timestamp};
use http::HeaderValue;
use url::Url;

use crate::{
    domain::{AesKey, Mode, signature::SigningSecret},
    store::outgoing,
};

/// A webhook, ready to be delivered to.
#[derive(Debug)]
pub struct Receiver {
    /// Where to.
    pub url: Url,
    /// What signs; more than one while the secret is being rotated.
    pub secrets: Vec<SigningSecret>,
    /// What encrypts.
    pub encryption: Option<(Mode, AesKey)>,
    /// What is sent as `x-api-key`.
    pub api_key: Option<HeaderValue>,
}

impl Receiver {
    /// Opens what is sealed.
    ///
    /// # Errors
    /// INTERNAL when it was sealed under another key, or the row was damaged.
    pub fn open(webhook: &outgoing::Model, sealer: &Sealer) -> Result<Self> {
        let mut secrets = vec![SigningSecret::from_bytes(sealer.open(&webhook.secret)?)];
        let now = Timestamp::now();
        for old in webhook.old_secrets.signing(now) {
            secrets.push(SigningSecret::from_bytes(sealer.open(&old.sealed)?));
        }
        Ok(Self {
            url: webhook.url.parse().map_err(Error::internal)?,
            secrets,
            encryption: encryption(webhook, sealer)?,
            api_key: api_key(webhook, sealer)?,
        })
    }
}

fn encryption(webhook: &outgoing::Model, sealer: &Sealer) -> Result<Option<(Mode, AesKey)>> {
    let sealed = webhook.encryption_key.as_ref();
    let Some(sealed) = sealed.filter(|_| webhook.encrypted) else {
        return Ok(None);
    };
    let key = sealer.open(sealed)?;
    let key = std::str::from_utf8(&key).map_err(Error::internal)?;
    Ok(Some((webhook.encryption_mode, AesKey::parse(key)?)))
}

fn api_key(webhook: &outgoing::Model, sealer: &Sealer) -> Result<Option<HeaderValue>> {
    let Some(sealed) = &webhook.api_key else {
        return Ok(None);
    };
    let mut key = HeaderValue::from_bytes(&sealer.open(sealed)?).map_err(Error::internal)?;
    key.set_sensitive(true);
    Ok(Some(key))
}
