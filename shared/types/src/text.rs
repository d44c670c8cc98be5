//! What the texts of a request may be. Lengths count characters, not bytes.

use guildhall_runtime::{Error, Reason, Result};

/// A required line such as a name: trimmed, of at most `max` characters.
///
/// # Errors
/// MISSING_FIELD when nothing is left after trimming, VALUE_TOO_LONG, INVALID_VALUE with control
/// characters.
pub fn line(field: &'static str, text: &str, max: usize) -> Result<String> {
    let line = optional_line(field, text, max)?;
    if line.is_empty() {
        return Err(Error::missing(field));
    }
    Ok(line)
}

/// A line that may be empty, trimmed.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with control characters.
pub fn optional_line(field: &'static str, text: &str, max: usize) -> Result<String> {
    let line = text.trim();
    at_most(field, line, max)?;
    if line.contains(char::is_control) {
        let description = format!("{field} must not contain control characters");
        return Err(Error::invalid(field, description));
    }
    Ok(line.to_owned())
}

/// A text of several lines that may be empty. It is stored as it was sent.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn optional(field: &'static str, text: &str, max: usize) -> Result<String> {
    at_most(field, text, max)?;
    without_nul(field, text)?;
    Ok(text.to_owned())
}

/// Refuses more than `max` characters.
///
/// # Errors
/// VALUE_TOO_LONG.
pub fn at_most(field: &'static str, text: &str, max: usize) -> Result<()> {
    if text.chars().nth(max).is_some() {
        let description = format!("{field} must be at most {max} characters");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    Ok(())
}

/// Refuses NUL, which PostgreSQL stores in no text.
///
/// # Errors
/// INVALID_VALUE.
pub fn without_nul(field: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        let description = format!("{field} must not contain NUL");
        return Err(Error::invalid(field, description));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T: std::fmt::Debug>(refused: Result<T>) -> Reason {
        refused.unwrap_err().reason()
    }

    #[test]
    fn a_line_is_trimmed_printable_and_bounded_in_characters() {
        assert_eq!(line("name", "  Zoë ", 3).unwrap(), "Zoë");
        assert_eq!(reason(line("name", " \n\u{a0}", 3)), Reason::MissingField);
        assert_eq!(reason(line("name", "Zoës", 3)), Reason::ValueTooLong);
        assert_eq!(reason(line("name", "a\0", 3)), Reason::InvalidValue);
        assert_eq!(reason(line("name", "a\nb", 3)), Reason::InvalidValue);
        assert_eq!(optional_line("name", "  ", 3).unwrap(), "");
    }

    #[test]
    fn a_text_keeps_its_lines_and_its_space() {
        assert_eq!(optional("text", " a\nb ", 5).unwrap(), " a\nb ");
        assert_eq!(optional("text", "", 5).unwrap(), "");
        assert_eq!(reason(optional("text", "abcdef", 5)), Reason::ValueTooLong);
        assert_eq!(reason(optional("text", "a\0", 5)), Reason::InvalidValue);
    }
}
