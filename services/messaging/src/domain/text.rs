//! What the text and the `dedup_id` of a message may be.

use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::text;

/// The longest message after trimming (contract: messaging, part 2).
const MAX_MESSAGE: usize = 10_000;
/// The longest message with the space around it, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The longest `dedup_id`, in characters.
const MAX_DEDUP_ID: usize = 128;

/// Checks the text of a message. It is stored as sent, including the space around it.
///
/// # Errors
/// MISSING_FIELD when nothing of it can be seen, VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn message(message: &str) -> Result<()> {
    if message.len() > MAX_MESSAGE_BYTES {
        let description = format!("text must be at most {MAX_MESSAGE_BYTES} bytes");
        return Err(Error::violation(Reason::ValueTooLong, "text", description));
    }
    if text::is_blank(message) {
        return Err(Error::missing("text"));
    }
    text::at_most("text", message.trim(), MAX_MESSAGE)?;
    text::without_nul("text", message)
}

/// A `dedup_id`.
///
/// # Errors
/// VALUE_TOO_LONG, INVALID_VALUE with NUL.
pub fn dedup_id(dedup_id: &str) -> Result<String> {
    text::optional("dedup_id", dedup_id, MAX_DEDUP_ID)
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
            ("\u{200b}", Some(Reason::MissingField)),
            ("\u{2060} \u{fe0f}", Some(Reason::MissingField)),
            ("👩\u{200d}🚀", None),
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

    proptest! {
        #[test]
        fn whatever_is_accepted_can_be_stored(text in "(?s).{0,200}") {
            let accepted = message(&text).is_ok();
            prop_assert_eq!(accepted, !text::is_blank(&text) && !text.contains('\0'));
        }
    }
}
