//! E-mails as files (.eml), for who has no mail server.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use guildhall_data::MailId;

use crate::failure::{Failure, Kind};

/// The directory that takes e-mails. Only its owner may enter it: they hold what SMTP would have
/// carried to one person.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A directory, which is made with its first e-mail.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes an e-mail to `<id>.eml`: all of it or nothing, and a second time over the first.
    pub async fn write(&self, id: MailId, message: Vec<u8>) -> Result<(), Failure> {
        let directory = self.0.clone();
        let written = tokio::task::spawn_blocking(move || write(&directory, id, &message)).await;
        let written = written.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        written.map_err(|error| Failure::new(Kind::NotWritten, &error))
    }
}

fn write(directory: &Path, id: MailId, message: &[u8]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // Of this process alone: two that write the same e-mail do not mix.
    let beside = directory.join(format!(".{id}.{}", std::process::id()));
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&beside, directory.join(format!("{id}.eml")))
}
