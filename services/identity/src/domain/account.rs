//! How a user who logs in is named.

use guildhall_proto::identity::v1::login_request;
use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::text::line;

use super::key::Key;

/// The longest e-mail address or username that is looked up.
const MAX_LEN: usize = 320;

/// An account as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Account {
    /// By e-mail address.
    Email(Key),
    /// By username.
    Username(Key),
}

impl Account {
    /// The account that a request names.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
    pub(crate) fn parse(account: Option<login_request::Account>) -> Result<Self> {
        let missing = || {
            let description = "email or username is required";
            Error::violation(Reason::MissingField, "email", description)
        };
        match account.ok_or_else(missing)? {
            login_request::Account::Email(email) => {
                let email = line("email", &email, MAX_LEN)?;
                Ok(Self::Email(Key::of_address(&email)))
            }
            login_request::Account::Username(name) => {
                let name = line("username", &name, MAX_LEN)?;
                Ok(Self::Username(Key::of_name(&name)))
            }
        }
    }

    /// The key that it would be stored under.
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Email(key) | Self::Username(key) => key,
        }
    }
}
