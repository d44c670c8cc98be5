//! Where a fixture keeps its files.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::cleanup::Cleanup;

/// Files may still be written while their owner dies: try again for five seconds.
const REMOVE: &str = "n=0; until rm -rf \"$1\" || [ $n -ge 50 ]; do n=$((n+1)); sleep 0.1; done";

/// A temporary folder; it goes with its owner, however that one ends.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _removal: Cleanup,
}

impl Folder {
    /// An empty folder that only we may enter.
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// An empty folder that everybody may enter, in a place that everybody may enter.
    pub(crate) fn open_to_all() -> Self {
        let place = std::env::temp_dir();
        let place = if is_open_to_all(&place) {
            place
        } else {
            "/tmp".into()
        };
        let folder = Self::below(&place);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
        folder
    }

    fn below(place: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("guildhall-")
            .tempdir_in(place);
        let path = folder.expect("a temporary folder").keep();
        Self {
            _removal: Cleanup::new(REMOVE, &[path.as_os_str()]),
            path,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// Whether every user can reach what lies in `path`.
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    let enterable = |folder: &Path| -> io::Result<bool> {
        Ok(fs::metadata(folder)?.permissions().mode() & 0o001 != 0)
    };
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    path.ancestors()
        .all(|folder| enterable(folder).unwrap_or(false))
}
