//! What the texts of a request may be. Lengths count characters, not bytes.

use guildhall_runtime::{Error, Reason, Result};

/// The longest name of a webhook or workflow, in characters.
const MAX_NAME: usize = 100;

/// The name of a webhook or workflow, trimmed.
///
/// # Errors
/// MISSING_FIELD when nothing is left after trimming, VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn name(text: &str) -> Result<String> {
    let name = optional("name", text.trim(), MAX_NAME)?;
    if name.is_empty() {
        return Err(Error::missing("name"));
    }
    Ok(name)
}

/// A text that may be empty.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn optional(field: &'static str, text: &str, max: usize) -> Result<String> {
    if text.chars().nth(max).is_some() {
        let description = format!("{field} must be at most {max} characters");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    // PostgreSQL stores no NUL in texts.
    if text.contains('\0') {
        return Err(Error::invalid(
            field,
            format!("{field} must not contain NUL"),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_neither_empty_nor_too_long() {
        assert_eq!(name("  News ").unwrap(), "News");
        let reason = |text: &str| name(text).unwrap_err().reason();
        assert_eq!(reason(" \n"), Reason::MissingField);
        assert_eq!(reason(&"é".repeat(MAX_NAME + 1)), Reason::ValueTooLong);
        assert_eq!(reason("a\0"), Reason::InvalidValue);
    }
}
