//! How bodies of webhooks are encrypted.

use guildhall_proto::webhooks::v1::{Encryption, EncryptionMode, EncryptionSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How AES-256 is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Gcm,
    Cbc,
}

impl From<Mode> for EncryptionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Gcm => Self::Gcm,
            Mode::Cbc => Self::Cbc,
        }
    }
}

/// How bodies are encrypted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEncryption {
    is_enabled: bool,
    mode: Mode,
}

impl From<Encryption> for WebhookEncryption {
    fn from(encryption: Encryption) -> Self {
        Self {
            is_enabled: encryption.enabled,
            mode: match encryption.mode() {
                EncryptionMode::Unspecified | EncryptionMode::Gcm => Mode::Gcm,
                EncryptionMode::Cbc => Mode::Cbc,
            },
        }
    }
}

/// How bodies shall be encrypted.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhookEncryption {
    is_enabled: Option<bool>,
    /// `gcm` when left out.
    mode: Option<Mode>,
    /// Exactly 32 printable ASCII characters; never shown again. An empty one counts as left out.
    #[schema(pattern = "^([ -~]{32})?$")]
    key: Option<String>,
}

impl From<NewWebhookEncryption> for EncryptionSpec {
    fn from(new: NewWebhookEncryption) -> Self {
        Self {
            enabled: new.is_enabled.unwrap_or_default(),
            mode: EncryptionMode::from(new.mode.unwrap_or_default()).into(),
            key: new.key.unwrap_or_default(),
        }
    }
}
