//! The secrets that a test makes or meets; no log may show one.
//!
//! The fixtures learn them by themselves: the demo community's, passwords of servers, what a client
//! presents, what is sent as a password or as a message, what an answer hands out once. When a
//! process ends, its log is searched for all of them, and one that is there fails the test.

mod forms;
mod known;
mod search;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

pub use self::{known::learn, search::assert_none_in};
pub(crate) use self::{
    known::{learn_answer, learn_credential, learn_printed, learn_sent, learn_written, write_down},
    search::assert_none_given,
};

/// What a secret is: all that a failure tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A key, a token, a JWT.
    Credential,
    /// A member's, a database's or a broker's.
    Password,
    /// What the platform seals with, or the private key of a certificate.
    PrivateKey,
    /// What a member wrote: none of an operator's business.
    Message,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credential => "a credential",
            Self::Password => "a password",
            Self::PrivateKey => "a private key",
            Self::Message => "a message",
        })
    }
}

/// Learns what a platform has written into its data directory.
pub(crate) fn learn_data_dir(path: &Path) {
    if let Ok(secret) = fs::read_to_string(path.join("secret.key")) {
        learn(Kind::PrivateKey, secret.trim());
    }
    if let Ok(demo) = fs::read(path.join("demo.json")) {
        learn_printed(&demo);
    }
}

/// Random bytes as hex.
pub(crate) fn hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    let mut random = File::open("/dev/urandom").expect("/dev/urandom");
    random.read_exact(&mut bytes).expect("random bytes");
    hex::encode(bytes)
}

/// Writes a new file that only we may read.
///
/// # Panics
/// When it is there, or cannot be written.
pub fn write(path: &Path, content: &str) {
    use std::io::Write;
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.expect("a new file");
    file.write_all(content.as_bytes()).expect("a written file");
}
