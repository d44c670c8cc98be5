//! The ways to refer to a user (contract: identity, "DECISION: user reference").

use guildhall_data::UserId;
use guildhall_runtime::{Error, Reason, Result};

use super::key::Key;

/// The longest reference, in characters: an e-mail address at its longest.
const MAX_LEN: usize = 320;

/// Prefix of a reference that is a username, whatever it looks like.
const USERNAME: &str = "username:";

/// What a reference means by its shape. One that finds nobody is looked up as a username as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// 24 hexadecimal digits.
    Id(UserId),
    /// Digits.
    Number(i64),
    /// With an `@`.
    Email(Key),
    /// Anything else.
    Username(Key),
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// VALUE_TOO_LONG; INVALID_VALUE for NUL.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.chars().count() > MAX_LEN {
            let description = format!("a reference must be at most {MAX_LEN} characters");
            return Err(Error::violation(
                Reason::ValueTooLong,
                "references",
                description,
            ));
        }
        if text.contains('\0') {
            return Err(Error::invalid(
                "references",
                "a reference must not contain NUL",
            ));
        }
        if let Some(username) = text.strip_prefix(USERNAME) {
            return Ok(Self::Username(Key::of_name(username)));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if let (true, Ok(number)) = (digits, text.parse()) {
            return Ok(Self::Number(number));
        }
        Ok(if text.contains('@') {
            Self::Email(Key::of_address(text))
        } else {
            Self::Username(Key::of_name(text))
        })
    }

    /// The username that it is looked up as last; `text` is what was parsed.
    pub(crate) fn as_username(&self, text: &str) -> Key {
        match self {
            Self::Username(username) => username.clone(),
            Self::Id(_) | Self::Number(_) | Self::Email(_) => Key::of_name(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_decides_what_is_looked_up_first() {
        let id = UserId::generate();
        let username = |name: &str| Reference::Username(Key::of_name(name));
        for (text, expected) in [
            (id.to_string(), Reference::Id(id)),
            (id.to_string().to_uppercase(), Reference::Id(id)),
            ("0042".into(), Reference::Number(42)),
            (
                "Ada@Example.com".into(),
                Reference::Email(Key::of_address("ada@example.com")),
            ),
            ("Ada".into(), username("ada")),
            ("9".repeat(20), username(&"9".repeat(20))),
            ("+5".into(), username("+5")),
            ("username:42".into(), username("42")),
            (String::new(), username("")),
        ] {
            assert_eq!(Reference::parse(&text).unwrap(), expected);
        }
        assert!(Reference::parse(&"a".repeat(321)).is_err());
        assert!(Reference::parse("a\0").is_err());
    }
}
