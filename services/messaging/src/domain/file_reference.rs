//! What the files of a message may be. They are stored elsewhere: whoever reads the message follows
//! their addresses.

use guildhall_proto::messaging::v1::FileReference;
use guildhall_runtime::{Error, Result};
use guildhall_types::text::{at_most, is_blank, optional_line};
use url::Url;

/// The longest address, in characters.
const MAX_URL: usize = 2048;
/// The longest name, in characters.
const MAX_NAME: usize = 255;
/// The longest media type, in characters.
const MAX_TYPE: usize = 128;

/// Checks the files of a message.
///
/// # Errors
/// MISSING_FIELD without an address, VALUE_TOO_LONG, INVALID_VALUE for an address that is not on the
/// web, a negative size, and NUL.
pub(super) fn check(files: &[FileReference]) -> Result<()> {
    files.iter().enumerate().try_for_each(|(index, file)| {
        let field = |name: &str| format!("details.files[{index}].{name}");
        check_url(&field("url"), &file.url)?;
        for (name, text, max) in [
            ("name", &file.name, MAX_NAME),
            ("type", &file.r#type, MAX_TYPE),
        ] {
            optional_line(&field(name), text, max)?;
        }
        if file.size < 0 {
            let field = field("size");
            let description = format!("{field} must not be negative");
            return Err(Error::invalid(field, description));
        }
        Ok(())
    })
}

fn check_url(field: &str, text: &str) -> Result<()> {
    if is_blank(text) {
        return Err(Error::missing(field));
    }
    at_most(field, text, MAX_URL)?;
    if is_on_the_web(text) {
        return Ok(());
    }
    let description = format!("{field} must be an address like https://example.com/photo.png");
    Err(Error::invalid(field, description))
}

/// The parser mends what it can, but the text is stored as it was sent, and read by other parsers.
fn is_on_the_web(text: &str) -> bool {
    let begins = |scheme: &str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    is_plain
        && (begins("https://") || begins("http://"))
        && !text.contains(":///")
        && Url::parse(text).is_ok_and(|url| {
            url.has_host() && url.username().is_empty() && url.password().is_none()
        })
}

#[cfg(test)]
mod tests {
    use guildhall_runtime::Reason;

    use super::*;

    fn file(url: &str) -> FileReference {
        FileReference {
            url: url.into(),
            ..FileReference::default()
        }
    }

    fn refusal(file: FileReference) -> Option<(String, Reason)> {
        let good = self::file("https://example.com/a.png");
        let error = check(&[good, file]).err()?;
        Some((error.violations()[0].field.clone(), error.reason()))
    }

    #[test]
    fn an_address_is_on_the_web() {
        for good in [
            "https://example.com/a.png",
            "HTTP://1.2.3.4:80",
            "https://[::1]/é?a=b#c",
        ] {
            assert_eq!(refusal(file(good)), None, "{good}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL));
        for (bad, reason) in [
            ("", Reason::MissingField),
            (" \u{200b}", Reason::MissingField),
            ("javascript:alert(1)", Reason::InvalidValue),
            ("java\nscript:alert(1)", Reason::InvalidValue),
            ("data:text/html,x", Reason::InvalidValue),
            ("file:///etc/passwd", Reason::InvalidValue),
            ("ftp://example.com/a", Reason::InvalidValue),
            ("//example.com/a", Reason::InvalidValue),
            ("/a.png", Reason::InvalidValue),
            ("a.png", Reason::InvalidValue),
            ("https:example.com", Reason::InvalidValue),
            ("https://", Reason::InvalidValue),
            (" https://example.com", Reason::InvalidValue),
            ("https://exa mple.com", Reason::InvalidValue),
            ("https://example.com/\0", Reason::InvalidValue),
            (&long, Reason::ValueTooLong),
        ] {
            let refused = ("details.files[1].url".to_owned(), reason);
            assert_eq!(refusal(file(bad)), Some(refused), "{bad:?}");
        }
    }

    #[test]
    fn what_else_is_said_of_a_file_is_bounded() {
        let good = || file("https://example.com/a.png");
        let named = |name: String| FileReference { name, ..good() };
        let typed = |r#type: String| FileReference { r#type, ..good() };
        for (bad, field, reason) in [
            (named("é".repeat(256)), "name", Reason::ValueTooLong),
            (named("a\0".into()), "name", Reason::InvalidValue),
            (typed("é".repeat(129)), "type", Reason::ValueTooLong),
            (typed("a\0".into()), "type", Reason::InvalidValue),
            (
                FileReference { size: -1, ..good() },
                "size",
                Reason::InvalidValue,
            ),
        ] {
            assert_eq!(
                refusal(bad),
                Some((format!("details.files[1].{field}"), reason))
            );
        }
        for good in [named("é".repeat(255)), typed("é".repeat(128))] {
            assert_eq!(refusal(good), None);
        }
    }
}
