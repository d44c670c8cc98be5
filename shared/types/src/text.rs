//! What the texts of a request may be. Lengths count characters, not bytes.

use guildhall_runtime::{Error, Reason, Result};
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

/// A required line such as a name: trimmed, of at most `max` characters.
///
/// # Errors
/// MISSING_FIELD when nothing of it can be seen, VALUE_TOO_LONG, INVALID_VALUE with control
/// characters.
pub fn line(field: &str, text: &str, max: usize) -> Result<String> {
    let line = optional_line(field, text, max)?;
    if line.is_empty() {
        return Err(Error::missing(field));
    }
    Ok(line)
}

/// A line that may be empty, trimmed. What cannot be seen is empty.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with control characters.
pub fn optional_line(field: &str, text: &str, max: usize) -> Result<String> {
    let line = text.trim();
    at_most(field, line, max)?;
    if line.contains(char::is_control) {
        let description = format!("{field} must not contain control characters");
        return Err(Error::invalid(field, description));
    }
    if is_blank(line) {
        return Ok(String::new());
    }
    Ok(line.to_owned())
}

/// A text of several lines that may be empty. It is stored as it was sent.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn optional(field: &str, text: &str, max: usize) -> Result<String> {
    at_most(field, text, max)?;
    without_nul(field, text)?;
    Ok(text.to_owned())
}

/// Whether nothing of a text can be seen. Such a text is empty, although it may not be changed:
/// what is not shown has a meaning between what is, as in joined emojis.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_visible)
}

fn is_visible(c: char) -> bool {
    // A blank of Braille, and the marks around annotations: shown as nothing, though Unicode does
    // not say so.
    let shown_as_nothing = matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffb}');
    !(c.is_whitespace() || c.is_control() || is_ignorable(c) || shown_as_nothing)
}

/// Whether Unicode has a character ignored where it has no effect: joiners, selectors, fillers, marks
/// of direction.
#[must_use]
pub fn is_ignorable(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Refuses more than `max` characters.
///
/// # Errors
/// VALUE_TOO_LONG.
pub fn at_most(field: &str, text: &str, max: usize) -> Result<()> {
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
pub fn without_nul(field: &str, text: &str) -> Result<()> {
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
    fn what_cannot_be_seen_is_empty() {
        for blank in [
            "",
            " \n\t",
            "\u{200b}",
            "\u{2060}\u{feff}",
            "\u{fe0f}",
            "\u{ad}",
            "\u{115f}\u{3164}",
            "\u{ffa0}",
            "\u{180e}",
            "\u{e0001}",
            "\u{2800}",
            "\u{fff9}\u{fffb}",
            " \u{200d} ",
            "\u{202e}",
            "\u{61c}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
            assert_eq!(
                reason(line("name", blank, 9)),
                Reason::MissingField,
                "{blank:?}"
            );
            assert_eq!(optional_line("name", blank, 9).unwrap(), "", "{blank:?}");
        }
        for seen in [
            "a",
            "\u{301}",
            "👩\u{200d}🚀",
            "\u{200b}.",
            "\u{fffc}",
            "\u{e000}",
            "ㅤ가",
        ] {
            assert_eq!(
                line("name", seen, 9).unwrap(),
                seen,
                "it is stored as it was sent"
            );
        }
    }

    #[test]
    fn a_text_keeps_its_lines_and_its_space() {
        assert_eq!(optional("text", " a\nb ", 5).unwrap(), " a\nb ");
        assert_eq!(optional("text", "", 5).unwrap(), "");
        assert_eq!(reason(optional("text", "abcdef", 5)), Reason::ValueTooLong);
        assert_eq!(reason(optional("text", "a\0", 5)), Reason::InvalidValue);
    }
}
