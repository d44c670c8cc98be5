//! Files that only the platform may read: secrets, private keys, databases.
//!
//! Their group may read them, because that is how Kubernetes mounts a secret for a process that is
//! not root (mode 0440 or 0640, group `fsGroup`). The group may not write them, since whoever writes
//! a secret or a database owns what it protects, and all others may do nothing.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use crate::{Error, Result};

/// The bits of a mode that a private file must not have: write for its group, all for others.
const TOO_OPEN: u32 = 0o027;

/// Refuses a file that others on this machine may read or write. A file that is not there is not
/// too open, nor is what is no file, such as a pipe.
///
/// # Errors
/// With the command that mends it.
pub fn require_private(path: &Path) -> Result<()> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Error::bug(format!(
                "cannot use {}: {error}",
                path.display()
            )));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() || mode & TOO_OPEN == 0 {
        return Ok(());
    }
    Err(too_open(path, mode, "600"))
}

fn too_open(path: &Path, mode: u32, wanted: &str) -> Error {
    Error::bug(format!(
        "{path} is open to other users of this machine (mode {mode:04o}): chmod {wanted} {path}",
        path = path.display()
    ))
}

/// Makes a directory, and those above it that are missing, for its owner alone; one that is there
/// stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Refuses a directory in which all users may put files of their own in place of ours. Its group may,
/// because that is how Kubernetes mounts a volume with an `fsGroup`.
///
/// # Errors
/// With the command that mends it.
pub fn require_own(directory: &Path) -> Result<()> {
    let metadata = fs::metadata(directory).map_err(Error::internal)?;
    let mode = metadata.permissions().mode() & 0o1777;
    // With the sticky bit they can add files, and not replace ours.
    if mode & 0o002 == 0 || mode & 0o1000 != 0 {
        return Ok(());
    }
    Err(too_open(directory, mode, "700"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_which_all_may_replace_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, is_own) in [
            (0o700, true),
            (0o2775, true),
            (0o1777, true),
            (0o777, false),
        ] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(require_own(folder.path()).is_ok(), is_own, "{mode:o}");
        }
        let refused = require_own(folder.path()).unwrap_err().with_causes();
        assert!(refused.contains("chmod 700 "), "{refused}");
    }

    #[test]
    fn its_group_may_read_it_and_nobody_else_may_do_anything() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        assert!(require_private(&file).is_ok(), "it is not there");
        fs::write(&file, "secret").unwrap();
        let set = |mode| fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        for private in [0o600, 0o400, 0o440, 0o640, 0o750] {
            set(private);
            assert!(require_private(&file).is_ok(), "{private:o}");
        }
        for open in [0o644, 0o604, 0o602, 0o601, 0o660, 0o620, 0o666] {
            set(open);
            let refused = require_private(&file).unwrap_err().with_causes();
            let command = format!("chmod 600 {}", file.display());
            assert!(refused.ends_with(&command), "{refused}");
            assert!(refused.contains(&format!("{open:04o}")), "{refused}");
        }
        assert!(require_private(Path::new("/dev/null")).is_ok(), "no file");
    }

    #[test]
    fn a_directory_is_made_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        make_directory(&made).unwrap();
        make_directory(&made).unwrap();
        for directory in [&*made, made.parent().unwrap()] {
            let mode = fs::metadata(directory).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}
