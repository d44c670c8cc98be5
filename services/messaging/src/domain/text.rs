//! What the texts of a request may be. Lengths count characters, not bytes.

use guildhall_runtime::{Error, Reason, Result};

/// The longest message after trimming (contract: messaging, part 2).
const MAX_MESSAGE: usize = 10_000;
/// The longest message with the space around it, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Checks the text of a message. It is stored as it was sent, the space around it included.
///
/// # Errors
/// MISSING_FIELD when nothing is left after trimming, VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn message(text: &str) -> Result<()> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Error::missing("text"));
    }
    if text.len() > MAX_MESSAGE_BYTES || is_longer(trimmed, MAX_MESSAGE) {
        return Err(too_long("text", MAX_MESSAGE));
    }
    refuse_nul("text", text)
}

/// A required line such as a name, trimmed.
///
/// # Errors
/// MISSING_FIELD when nothing is left after trimming, VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn required(field: &'static str, text: &str, max: usize) -> Result<String> {
    let text = optional(field, text.trim(), max)?;
    if text.is_empty() {
        return Err(Error::missing(field));
    }
    Ok(text)
}

/// A text that may be empty.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn optional(field: &'static str, text: &str, max: usize) -> Result<String> {
    if is_longer(text, max) {
        return Err(too_long(field, max));
    }
    refuse_nul(field, text)?;
    Ok(text.to_owned())
}

fn is_longer(text: &str, max: usize) -> bool {
    text.chars().nth(max).is_some()
}

fn too_long(field: &'static str, max: usize) -> Error {
    let description = format!("{field} must be at most {max} characters");
    Error::violation(Reason::ValueTooLong, field, description)
}

/// PostgreSQL stores no NUL in texts.
fn refuse_nul(field: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(
            field,
            format!("{field} must not contain NUL"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_1_to_10000_characters_after_trimming() {
        let longest = "é".repeat(MAX_MESSAGE);
        let cases = [
            ("a", None),
            (longest.as_str(), None),
            (&format!("  {longest}\n"), None),
            ("", Some(Reason::MissingField)),
            (" \t\n\u{a0}", Some(Reason::MissingField)),
            (&format!("{longest}é"), Some(Reason::ValueTooLong)),
            (
                &format!("a{}", " ".repeat(MAX_MESSAGE_BYTES)),
                Some(Reason::ValueTooLong),
            ),
            ("a\0b", Some(Reason::InvalidValue)),
        ];
        for (text, refusal) in cases {
            let got = message(text).err().map(|error| error.reason());
            assert_eq!(got, refusal, "{} characters", text.chars().count());
        }
    }

    #[test]
    fn a_name_is_trimmed_and_not_empty() {
        assert_eq!(required("topic", "  General ", 7).unwrap(), "General");
        assert_eq!(
            required("topic", "  ", 7).unwrap_err().reason(),
            Reason::MissingField
        );
        assert_eq!(
            required("topic", "Generals", 7).unwrap_err().reason(),
            Reason::ValueTooLong
        );
        assert_eq!(
            required("topic", "a\0", 7).unwrap_err().reason(),
            Reason::InvalidValue
        );
        assert_eq!(optional("description", "", 7).unwrap(), "");
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_can_be_stored(text in "(?s).{0,200}") {
            let accepted = message(&text).is_ok();
            prop_assert_eq!(accepted, !text.trim().is_empty() && !text.contains('\0'));
        }
    }
}
