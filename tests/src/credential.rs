//! What a caller presents over REST.

use guildhall_testkit::Call;

/// A credential in the header of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// No header at all.
    Missing,
    /// `Authorization:` with nothing behind it, as the public curl samples send it.
    Empty,
    /// `Authorization: Bearer …`: a community key, a user key or a JWT.
    Bearer(String),
    /// `X-API-Key: …`
    SystemKey(String),
    /// `Api-Token: …`
    SendbirdToken(String),
}

impl Credential {
    /// Puts it into a call.
    #[must_use]
    pub fn sign(&self, call: Call) -> Call {
        match self {
            Self::Missing => call,
            Self::Empty => call.header("Authorization", ""),
            Self::Bearer(text) => call.bearer(text),
            Self::SystemKey(text) => call.system_key(text),
            Self::SendbirdToken(text) => call.sendbird_token(text),
        }
    }

    /// The same header with another text in it.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        let text = text.to_owned();
        match self {
            Self::Missing => Self::Missing,
            Self::Empty => Self::Empty,
            Self::Bearer(_) => Self::Bearer(text),
            Self::SystemKey(_) => Self::SystemKey(text),
            Self::SendbirdToken(_) => Self::SendbirdToken(text),
        }
    }
}
