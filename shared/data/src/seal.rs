//! Secrets at rest: AES-256-GCM under a key that never lies beside them.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{self, HKDF_SHA256},
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

#[cfg(test)]
mod tests {
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
}
