//! The names of a new user.

use guildhall_runtime::{Error, Result};
use guildhall_types::text::{is_blank, line, optional_line};

/// The longest username and the longest name, in characters.
const MAX_NAME: usize = 100;
/// The longest e-mail address (RFC 5321, section 4.5.3.1.3, without its brackets).
const MAX_EMAIL: usize = 254;

/// A new user's names, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
}

impl Profile {
    /// Checks every name; without a display name the username is shown.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
    pub(crate) fn check(self) -> Result<Self> {
        let display_name = match is_blank(&self.display_name) {
            true => self.username.clone(),
            false => self.display_name,
        };
        Ok(Self {
            username: username(&self.username)?,
            email: email(&self.email)?,
            display_name: line("display_name", &display_name, MAX_NAME)?,
            first_name: optional_line("first_name", &self.first_name, MAX_NAME)?,
            last_name: optional_line("last_name", &self.last_name, MAX_NAME)?,
        })
    }

    /// The profile of a user of whom only the e-mail address is known.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn of_email(address: String) -> Result<Self> {
        let username = match address.split_once('@') {
            Some((local, _)) => local.to_owned(),
            None => String::new(),
        };
        Self {
            email: email(&address)?,
            display_name: username.clone(),
            username,
            first_name: String::new(),
            last_name: String::new(),
        }
        .check()
    }
}

fn username(text: &str) -> Result<String> {
    let text = line("username", text, MAX_NAME)?;
    if text.chars().any(char::is_whitespace) {
        return Err(Error::invalid(
            "username",
            "username must not contain spaces",
        ));
    }
    Ok(text)
}

/// Checks the shape alone: only an e-mail can tell whether an address exists.
fn email(text: &str) -> Result<String> {
    let text = line("email", text, MAX_EMAIL)?;
    let parts = text.rsplit_once('@');
    let well_formed = parts.is_some_and(|(local, domain)| !is_blank(local) && !is_blank(domain))
        && !text.chars().any(char::is_whitespace);
    if !well_formed {
        return Err(Error::invalid(
            "email",
            "email must be an address like ada@example.com",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_alone_makes_a_profile() {
        let profile = Profile::of_email("Ada.L@example.com".into()).unwrap();
        assert_eq!(
            (&*profile.username, &*profile.display_name),
            ("Ada.L", "Ada.L")
        );
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a da@example.com",
            "ada@exa\0mple.com",
            "\u{200b}@example.com",
            "ada@\u{2060}",
        ] {
            assert!(Profile::of_email(bad.into()).is_err(), "{bad:?}");
        }
        assert!(Profile::of_email(format!("{}@example.com", "a".repeat(250))).is_err());
    }
}
