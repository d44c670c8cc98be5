//! The account that PostgreSQL runs as when we are root: it refuses to be root itself.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::Command,
};

/// An account without rights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// `postgres`, else `nobody`; none when we are not root, for then we are good enough.
    pub(crate) fn instead_of_root(folder: &Path) -> Option<Self> {
        let we = fs::metadata(folder).expect("our folder").uid();
        let accounts = || fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        (we == 0).then(|| {
            let accounts = accounts();
            let named = |name| Self::named(&accounts, name);
            let account = named("postgres").or_else(|| named("nobody"));
            account.expect("an account `postgres` or `nobody`")
        })
    }

    fn named(accounts: &str, name: &str) -> Option<Self> {
        let fields = accounts
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let mut fields = fields.filter(|fields| fields.len() > 3 && fields[0] == name);
        let account = fields.next()?;
        Some(Self {
            uid: account[2].parse().ok()?,
            gid: account[3].parse().ok()?,
        })
    }

    /// Lets `command` run as this account.
    pub(crate) fn run(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file to this account.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}
