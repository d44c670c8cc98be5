//! What a line of text may hold.

use guildhall_runtime::{Error, Reason, Result};

/// A required line of at most `max` characters.
///
/// # Errors
/// MISSING_FIELD when blank, and those of [`optional_line`].
pub(crate) fn line(field: &'static str, text: String, max: usize) -> Result<String> {
    if text.trim().is_empty() {
        return Err(Error::missing(field));
    }
    optional_line(field, text, max)
}

/// A line of at most `max` characters, perhaps empty.
///
/// # Errors
/// VALUE_TOO_LONG; INVALID_VALUE for control characters (PostgreSQL refuses NUL in text).
pub(crate) fn optional_line(field: &'static str, text: String, max: usize) -> Result<String> {
    if text.chars().count() > max {
        let description = format!("{field} must be at most {max} characters");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    if text.chars().any(char::is_control) {
        let description = format!("{field} must not contain control characters");
        return Err(Error::invalid(field, description));
    }
    Ok(text)
}

/// The form in which texts that differ only in case are the same.
pub(crate) fn fold_case(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printable_and_bounded_in_characters() {
        assert_eq!(line("name", "Zoë".into(), 3).unwrap(), "Zoë");
        for (text, reason) in [
            (" ", Reason::MissingField),
            ("Zoës", Reason::ValueTooLong),
            ("a\0", Reason::InvalidValue),
            ("a\n", Reason::InvalidValue),
        ] {
            assert_eq!(line("name", text.into(), 3).unwrap_err().reason(), reason);
        }
    }
}
