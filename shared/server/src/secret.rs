//! The platform's secret, the same for all its processes: a file that nobody but they can read.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use aws_lc_rs::rand;
use guildhall_runtime::{
    Error, Result,
    private::{make_directory, require_private},
};
use zeroize::Zeroizing;

/// In bytes.
const SECRET_LEN: usize = 32;

/// The platform's secret, which an operator has put into `path`.
///
/// # Errors
/// When the file cannot be read, others may read it, or it does not hold 64 hex.
pub fn load(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    require_private(path)?;
    let text = fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    parse(path, &Zeroizing::new(text))
}

/// The platform's secret: read from `path`, or generated into it once (mode 0600).
///
/// # Errors
/// When the file cannot be written, others may read it, or it does not hold 64 hex.
pub fn load_or_create(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    require_private(path)?;
    match fs::read_to_string(path) {
        Ok(text) => parse(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn parse(path: &Path, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let secret = hex::decode(text.trim()).map(Zeroizing::new).ok();
    secret
        .filter(|secret| secret.len() == SECRET_LEN)
        .ok_or_else(|| {
            Error::bug(format!(
                "{} must hold 64 hexadecimal characters",
                path.display()
            ))
        })
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::bug(format!("cannot use {}: {error}", path.display()))
}

fn create(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(vec![0; SECRET_LEN]);
    rand::fill(&mut secret).map_err(Error::internal)?;
    if let Some(directory) = path.parent() {
        make_directory(directory).map_err(Error::internal)?;
    }
    // Written beside and linked into place: two processes that start at once agree on one secret.
    let beside = path.with_extension(format!("key.{}", std::process::id()));
    let text = Zeroizing::new(hex::encode(&*secret));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(|error| unusable(&beside, &error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(Error::internal)?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside).map_err(Error::internal)?;
    match linked {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => load_or_create(path),
        Err(error) => Err(Error::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_secret_is_generated_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        let first = load_or_create(&path).unwrap();
        assert_eq!(*first, *load_or_create(&path).unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        for refused in [load(&path), load_or_create(&path)] {
            let refused = refused.unwrap_err().with_causes();
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }
}
