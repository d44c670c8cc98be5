//! How a user who logs in is named.

use guildhall_proto::identity::v1::login_request;
use guildhall_runtime::{Error, Result};
use guildhall_types::text::line;

use super::case;

/// The longest e-mail address or username that is looked up.
const MAX_LEN: usize = 320;

/// An account as it was named, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// By e-mail address.
    Email(String),
    /// By username.
    Username(String),
}

impl Account {
    /// The account that a request names.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
    pub(crate) fn parse(account: Option<login_request::Account>) -> Result<Self> {
        let folded = |field, text: &str| line(field, text, MAX_LEN).map(|text| case::fold(&text));
        match account.ok_or_else(|| Error::missing("email"))? {
            login_request::Account::Email(email) => folded("email", &email).map(Self::Email),
            login_request::Account::Username(name) => folded("username", &name).map(Self::Username),
        }
    }

    /// The text that named it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Email(text) | Self::Username(text) => text,
        }
    }
}
