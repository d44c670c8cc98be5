//! Where deliveries of a webhook go, and with which secrets.

use std::fmt;

use guildhall_data::seal::Sealer;
use guildhall_runtime::{Error, Result, Timestamp};
use http::{HeaderValue, Uri};
use url::Url;

use crate::{
    domain::{AesKey, Mode, signature::SigningSecret},
    store::outgoing::{Model, SealedColumn},
};

/// A webhook, ready to be delivered to.
#[derive(Debug)]
pub struct Receiver {
    /// Where to.
    pub url: Url,
    /// The same, as a request has it.
    pub uri: Uri,
    /// What signs; more than one while the secret is being rotated.
    pub secrets: Vec<SigningSecret>,
    /// What encrypts.
    pub encryption: Option<(Mode, AesKey)>,
    /// What is sent as `x-api-key`.
    pub api_key: Option<HeaderValue>,
}

/// Nothing can be sent to a webhook until an admin changes it.
#[derive(Debug)]
pub struct Unsendable {
    /// What has to be changed.
    pub part: Part,
    /// Why, for the operator.
    pub cause: Error,
}

/// A part of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Where deliveries go.
    Url,
    /// What signs, or has signed until it was replaced.
    Secret,
    /// What encrypts.
    EncryptionKey,
    /// What is sent as `x-api-key`.
    ApiKey,
}

impl Part {
    /// Its name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Secret => "secret",
            Self::EncryptionKey => "encryption key",
            Self::ApiKey => "API key",
        }
    }

    fn because(self, cause: Error) -> Unsendable {
        Unsendable { part: self, cause }
    }
}

/// For admins: what cannot be used, and what to do.
impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.part {
            Part::Url => "the webhook's url cannot be called: set it again",
            Part::Secret => "the webhook's secret cannot be opened: rotate it",
            Part::EncryptionKey => "the webhook's encryption key cannot be opened: set it again",
            Part::ApiKey => "the webhook's API key cannot be opened: set it again",
        })
    }
}

impl Receiver {
    /// Opens what is sealed.
    ///
    /// # Errors
    /// When that was sealed under another key or for another webhook, or the row was damaged.
    pub fn open(webhook: &Model, sealer: &Sealer) -> Result<Self, Unsendable> {
        let (url, uri) = address(webhook).map_err(|cause| Part::Url.because(cause))?;
        let secrets = secrets(webhook, sealer).map_err(|cause| Part::Secret.because(cause))?;
        let encryption = encryption(webhook, sealer);
        let api_key = api_key(webhook, sealer);
        Ok(Self {
            url,
            uri,
            secrets,
            encryption: encryption.map_err(|cause| Part::EncryptionKey.because(cause))?,
            api_key: api_key.map_err(|cause| Part::ApiKey.because(cause))?,
        })
    }
}

fn address(webhook: &Model) -> Result<(Url, Uri)> {
    let url: Url = webhook.url.parse().map_err(Error::internal)?;
    let uri = Uri::try_from(url.as_str()).map_err(Error::internal)?;
    Ok((url, uri))
}

/// The secret, and those that it replaced.
fn secrets(webhook: &Model, sealer: &Sealer) -> Result<Vec<SigningSecret>> {
    let open = |sealed: &[u8], column| -> Result<SigningSecret> {
        let secret = sealer.open(sealed, &webhook.place(column))?;
        Ok(SigningSecret::from_bytes(secret))
    };
    let mut secrets = vec![open(&webhook.secret, SealedColumn::Secret)?];
    for old in webhook.old_secrets.signing(Timestamp::now()) {
        secrets.push(open(&old.sealed, SealedColumn::OldSecrets)?);
    }
    Ok(secrets)
}

fn encryption(webhook: &Model, sealer: &Sealer) -> Result<Option<(Mode, AesKey)>> {
    let sealed = webhook.encryption_key.as_ref();
    let Some(sealed) = sealed.filter(|_| webhook.encrypted) else {
        return Ok(None);
    };
    let key = sealer.open(sealed, &webhook.place(SealedColumn::EncryptionKey))?;
    let key = std::str::from_utf8(&key).map_err(Error::internal)?;
    Ok(Some((webhook.encryption_mode, AesKey::parse(key)?)))
}

fn api_key(webhook: &Model, sealer: &Sealer) -> Result<Option<HeaderValue>> {
    let Some(sealed) = &webhook.api_key else {
        return Ok(None);
    };
    let key = sealer.open(sealed, &webhook.place(SealedColumn::ApiKey))?;
    let mut key = HeaderValue::from_bytes(&key).map_err(Error::internal)?;
    key.set_sensitive(true);
    Ok(Some(key))
}
