//! Secrets at rest: AES-256-GCM under a key that never lies beside them.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{self, HKDF_SHA256},
    rand,
};
use guildhall_runtime::{Error, Result};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;

/// Seals and opens small secrets.
pub struct Sealer {
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer whose key is derived from `secret` for one `purpose`.
    ///
    /// # Errors
    /// Never in practice: only when the cipher refuses a key of its own length.
    pub fn derive(secret: &[u8], purpose: &[u8]) -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        hkdf::Salt::new(HKDF_SHA256, b"guildhall")
            .extract(secret)
            .expand(&[purpose], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key[..]))
            .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key[..]))
            .map(|key| Self { key })
            .map_err(Error::internal)
    }

    /// Nonce and ciphertext of `plain`.
    ///
    /// # Errors
    /// Never in practice: only without randomness.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut text = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::empty(), &mut text)
            .map_err(Error::internal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// What was sealed.
    ///
    /// # Errors
    /// INTERNAL when it was sealed under another key or changed since.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or_else(|| Error::bug("a sealed value is too short"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(Error::internal)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::empty(), &mut text)
            .map_err(|_| {
                Error::bug(
                    "a sealed value does not open: is secret.key the one it was sealed with?",
                )
            })?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// The platform's secret, which an operator has put into `path`.
///
/// # Errors
/// When the file cannot be read, or does not hold 64 hex.
pub fn load_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let text = fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    parse_secret(path, &Zeroizing::new(text))
}

/// The platform's secret: read from `path`, or generated into it once (mode 0600).
///
/// # Errors
/// When the file cannot be written, or does not hold 64 hex.
pub fn load_or_create_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    match fs::read_to_string(path) {
        Ok(text) => parse_secret(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_secret(path),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn parse_secret(path: &Path, text: &str) -> Result<Zeroizing<Vec<u8>>> {
    let secret = hex::decode(text.trim()).map(Zeroizing::new).ok();
    secret
        .filter(|secret| secret.len() == KEY_LEN)
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

fn create_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(vec![0; KEY_LEN]);
    rand::fill(&mut secret).map_err(Error::internal)?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(Error::internal)?;
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
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            load_or_create_secret(path)
        }
        Err(error) => Err(Error::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_same_secret_and_purpose_open() {
        let sealed = Sealer::derive(b"secret", b"jwt")
            .unwrap()
            .seal(b"private")
            .unwrap();
        assert_eq!(
            &**Sealer::derive(b"secret", b"jwt")
                .unwrap()
                .open(&sealed)
                .unwrap(),
            b"private"
        );
        assert!(
            Sealer::derive(b"secret", b"mail")
                .unwrap()
                .open(&sealed)
                .is_err()
        );
        assert!(
            Sealer::derive(b"other", b"jwt")
                .unwrap()
                .open(&sealed)
                .is_err()
        );
        assert!(
            Sealer::derive(b"secret", b"jwt")
                .unwrap()
                .open(&sealed[..5])
                .is_err()
        );
    }

    #[test]
    fn the_secret_is_generated_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        let first = load_or_create_secret(&path).unwrap();
        assert_eq!(*first, *load_or_create_secret(&path).unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
