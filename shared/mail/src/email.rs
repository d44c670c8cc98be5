//! What an e-mail is made of. A line cannot hold a line break, so nothing that is put into a header
//! can begin another one.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use guildhall_data::{CommunityId, MailId};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use lettre::{
    Address, Message,
    message::{
        Mailbox, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

/// The longest address that SMTP carries (RFC 5321, erratum 1690), in bytes.
const MAX_RECIPIENT: usize = 254;

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 200;

/// The longest text, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// An e-mail about to be queued.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// The community in whose name it is written.
    pub community: CommunityId,
    /// Who gets it.
    pub to: Recipient,
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub text: Text,
}

/// An address that an e-mail is sent to, without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(Address);

impl Recipient {
    /// Reads an address.
    ///
    /// # Errors
    /// INVALID_VALUE for what is none, or is longer than 254 bytes.
    pub fn parse(text: &str) -> Result<Self> {
        let address = (text.len() <= MAX_RECIPIENT && is_line(text))
            .then(|| text.parse().ok())
            .flatten();
        address.map(Self).ok_or_else(|| {
            Error::invalid(
                "recipient",
                "recipient must be an address like ada@example.com",
            )
        })
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }
}

/// What an e-mail is about: a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// Reads a subject.
    ///
    /// # Errors
    /// MISSING_FIELD when blank, VALUE_TOO_LONG beyond 200 characters, INVALID_VALUE for control
    /// characters, line breaks among them.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(Error::missing("subject"));
        }
        if text.chars().count() > MAX_SUBJECT {
            return Err(too_long("subject", &format!("{MAX_SUBJECT} characters")));
        }
        if !is_line(&text) {
            let description = "subject must not contain line breaks or other control characters";
            return Err(Error::invalid("subject", description));
        }
        Ok(Self(text))
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an e-mail says. Not shown: it may hold a code or a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// MISSING_FIELD when blank, VALUE_TOO_LONG beyond 64 KiB, INVALID_VALUE for control characters
    /// other than line breaks and tabs.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(Error::missing("text"));
        }
        if text.len() > MAX_TEXT {
            return Err(too_long("text", "64 KiB"));
        }
        if !text.split(['\r', '\n', '\t']).all(is_line) {
            let description = "text must not contain control characters";
            return Err(Error::invalid("text", description));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

/// Whom e-mails come from: `Guildhall <guildhall@example.com>`, or an address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mailbox = is_line(text).then(|| text.parse().ok()).flatten();
        mailbox.map(Self).ok_or_else(|| {
            let form = "it has the form Guildhall <guildhall@example.com>, or is an address alone";
            Error::invalid("sender", form)
        })
    }
}

/// An e-mail as it is sent.
#[derive(Debug)]
pub(crate) struct Email {
    pub id: MailId,
    pub to: Recipient,
    pub subject: Subject,
    pub text: Text,
    pub written_at: Timestamp,
}

impl Email {
    /// The e-mail in the format of RFC 5322. Each attempt sends the same, under the same id: who
    /// got it twice can tell.
    ///
    /// # Errors
    /// Never in practice: it has one recipient and one sender.
    pub fn message(&self, from: &Sender) -> Result<Message, lettre::error::Error> {
        let written_at = u64::try_from(self.written_at.as_millis()).unwrap_or(0);
        let written_at = SystemTime::UNIX_EPOCH + Duration::from_millis(written_at);
        Message::builder()
            .from(from.0.clone())
            .to(Mailbox::from(self.to.0.clone()))
            .subject(self.subject.as_str())
            .date(written_at)
            .message_id(Some(format!("<{}@{}>", self.id, from.0.email.domain())))
            // An absence note must not answer it (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .singlepart(SinglePart::plain(self.text.as_str().to_owned()))
    }
}

/// Whether a text stays on its line.
fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn too_long(field: &'static str, limit: &str) -> Error {
    let description = format!("{field} must be at most {limit}");
    Error::violation(Reason::ValueTooLong, field, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_neither_gets_into_a_subject_nor_into_an_address() {
        for text in [
            "Hello\r\nBcc: eve@example.com",
            "Hello\n",
            "a\rb",
            "a\0",
            "a\u{85}b",
        ] {
            let refused = Subject::parse(text).unwrap_err();
            assert_eq!(refused.reason(), Reason::InvalidValue, "{text:?}");
        }
        for text in [
            "ada@example.com\r\nBcc: eve@example.com",
            "ada@example.com\n",
            "\"ada\r\n\"@example.com",
            "ada@example.com, eve@example.com",
            "Ada <ada@example.com>",
            "ada",
            "@example.com",
            "",
            &format!("{}@example.com", "a".repeat(250)),
        ] {
            assert!(Recipient::parse(text).is_err(), "{text:?}");
        }
        assert!(
            "Guildhall <g@example.com>\nBcc: eve@example.com"
                .parse::<Sender>()
                .is_err()
        );
    }

    #[test]
    fn what_a_email_holds_is_bounded() {
        assert!(Subject::parse("é".repeat(MAX_SUBJECT)).is_ok());
        assert!(Text::parse("a".repeat(MAX_TEXT)).is_ok());
        let too_long = [
            Subject::parse("é".repeat(MAX_SUBJECT + 1)).unwrap_err(),
            Text::parse("a".repeat(MAX_TEXT + 1)).unwrap_err(),
        ];
        for refused in too_long {
            assert_eq!(refused.reason(), Reason::ValueTooLong);
        }
        for blank in ["", " ", "\n"] {
            assert_eq!(
                Text::parse(blank).unwrap_err().reason(),
                Reason::MissingField
            );
        }
        assert!(Text::parse("one\r\n\ttwo\n").is_ok());
        assert!(Text::parse("a\0").is_err() && Text::parse("\u{1b}[2J").is_err());
    }

    #[test]
    fn a_text_is_not_shown() {
        let text = Text::parse("code 123456").unwrap();
        assert!(!format!("{text:?}").contains("123456"));
    }

    #[test]
    fn a_sender_may_have_a_name() {
        for text in ["Guildhall <guildhall@localhost>", "guildhall@example.com"] {
            assert!(text.parse::<Sender>().is_ok(), "{text}");
        }
        assert!("Guildhall".parse::<Sender>().is_err());
    }
}
