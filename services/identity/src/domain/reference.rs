//! The ways to refer to a user (contract: identity, "DECISION: user reference").

use guildhall_data::UserId;
use guildhall_runtime::{Error, Reason, Result};

use super::case;

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
    /// With an `@`; lower case.
    Email(String),
    /// Anything else; lower case.
    Username(String),
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
            return Ok(Self::Username(case::fold(username)));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if let (true, Ok(number)) = (digits, text.parse()) {
            return Ok(Self::Number(number));
        }
        let folded = case::fold(text);
        Ok(if text.contains('@') {
            Self::Email(folded)
        } else {
            Self::Username(folded)
        })
    }

    /// The username that it is looked up as last; `text` is what was parsed.
    pub(crate) fn as_username(&self, text: &str) -> String {
        match self {
            Self::Username(username) => username.clone(),
            Self::Id(_) | Self::Number(_) | Self::Email(_) => case::fold(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_decides_what_is_looked_up_first() {
        let id = UserId::generate();
        for (text, expected) in [
            (id.to_string(), Reference::Id(id)),
            (id.to_string().to_uppercase(), Reference::Id(id)),
            ("0042".into(), Reference::Number(42)),
            (
                "Ada@Example.com".into(),
                Reference::Email("ada@example.com".into()),
            ),
            ("Ada".into(), Reference::Username("ada".into())),
            ("9".repeat(20), Reference::Username("9".repeat(20))),
            ("+5".into(), Reference::Username("+5".into())),
            ("username:42".into(), Reference::Username("42".into())),
            (String::new(), Reference::Username(String::new())),
        ] {
            assert_eq!(Reference::parse(&text).unwrap(), expected);
        }
        assert!(Reference::parse(&"a".repeat(321)).is_err());
        assert!(Reference::parse("a\0").is_err());
    }
}
