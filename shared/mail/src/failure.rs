//! Why an e-mail was not sent.

use std::fmt;

/// How much of what a server answered is kept, in characters.
const MAX_DETAIL: usize = 500;

/// What kind of failure it was: all that the log tells, since a server's answer may repeat the
/// recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The e-mail cannot be made of its row.
    Malformed,
    /// The server does not take this e-mail, now or later.
    Refused,
    /// The server does not take this e-mail now.
    Deferred,
    /// The server does not serve us: our greeting, our TLS or our password.
    NotServed,
    /// There is no server, or the connection broke.
    Unreachable,
    /// The server took too long.
    TimedOut,
    /// The directory does not take the file.
    NotWritten,
}

impl Kind {
    /// Whether another attempt would end the same.
    pub fn is_final(self) -> bool {
        match self {
            Self::Malformed | Self::Refused => true,
            Self::Deferred
            | Self::NotServed
            | Self::Unreachable
            | Self::TimedOut
            | Self::NotWritten => false,
        }
    }

    /// Its name in the log and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::NotServed => "not served",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::NotWritten => "not written",
        }
    }
}

/// Why an e-mail was not sent.
#[derive(Debug)]
pub(crate) struct Failure {
    pub kind: Kind,
    /// What the other side said of it; a line.
    detail: String,
}

impl Failure {
    pub fn new(kind: Kind, detail: &impl fmt::Display) -> Self {
        let detail = detail.to_string();
        let printable = detail.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self {
            kind,
            detail: printable.take(MAX_DETAIL).collect(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.detail)
    }
}
