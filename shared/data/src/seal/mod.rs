//! Secrets at rest: AES-256-GCM under a key that never lies beside them. A sealed value opens in its
//! own place alone ([`Place`]).
//!
//! * `place`: the community, the column and the row of a sealed value
//! * [`upgrade`]: values of the format before, sealed anew

mod place;
pub mod upgrade;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use guildhall_runtime::{Error, Result, key};
use zeroize::Zeroizing;

pub use self::place::Place;

/// The first byte of a sealed value: how the rest is read. The format before had none, and no place.
const FORMAT: u8 = 2;

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
        let key = key::derive(secret, purpose)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key[..]);
        key.map(|key| Self { key }).map_err(Error::internal)
    }

    /// `plain`, sealed for its `place`: the format, a nonce and the ciphertext.
    ///
    /// # Errors
    /// Never in practice: only without randomness.
    pub fn seal(&self, plain: &[u8], place: &Place) -> Result<Vec<u8>> {
        let mut text = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.encode()), &mut text)
            .map_err(Error::internal)?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// What was sealed for this `place`.
    ///
    /// # Errors
    /// INTERNAL when it was sealed under another key, for another place or in the format before, or
    /// changed since.
    pub fn open(&self, sealed: &[u8], place: &Place) -> Result<Zeroizing<Vec<u8>>> {
        let rest = sealed.split_first();
        let rest = rest.filter(|(format, _)| **format == FORMAT);
        let (_, rest) = rest.ok_or_else(does_not_open)?;
        self.decrypt(rest, Aad::from(place.encode()))
    }

    /// A value of the format before, which opened in any place, sealed for its `place`; none if it
    /// has been. For an [`upgrade`] alone.
    ///
    /// # Errors
    /// INTERNAL when it opens in neither format.
    pub fn seal_anew(&self, sealed: &[u8], place: &Place) -> Result<Option<Vec<u8>>> {
        if self.open(sealed, place).is_ok() {
            return Ok(None);
        }
        let plain = self.decrypt(sealed, Aad::from(Vec::new()))?;
        self.seal(&plain, place).map(Some)
    }

    /// Nonce and ciphertext as they were before.
    fn decrypt(&self, sealed: &[u8], place: Aad<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or_else(does_not_open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(Error::internal)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(nonce, place, &mut text)
            .map_err(|_| does_not_open())?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

fn does_not_open() -> Error {
    Error::bug(
        "a sealed value does not open: is secret.key the one it was sealed with, and the row the \
         one it was sealed for?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommunityId;

    fn place(community: CommunityId, row: &str) -> Place {
        Place::of_community(community, "webhooks.api_key", [row.to_owned()])
    }

    fn sealer(secret: &[u8], purpose: &[u8]) -> Sealer {
        Sealer::derive(secret, purpose).unwrap()
    }

    /// A value as the format before had it.
    fn sealed_before(sealer: &Sealer, plain: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let nonce = sealer
            .key
            .seal_in_place_append_tag(Aad::empty(), &mut text)
            .unwrap();
        [&nonce.as_ref()[..], &text].concat()
    }

    #[test]
    fn only_the_same_secret_and_purpose_open() {
        let here = place(CommunityId::generate(), "1");
        let jwt = sealer(b"secret", b"jwt");
        let sealed = jwt.seal(b"private", &here).unwrap();
        assert_eq!(&**jwt.open(&sealed, &here).unwrap(), b"private");
        for other in [sealer(b"secret", b"mail"), sealer(b"other", b"jwt")] {
            assert!(other.open(&sealed, &here).is_err());
        }
        for short in [&sealed[..0], &sealed[..1], &sealed[..5], &sealed[..20]] {
            assert!(jwt.open(short, &here).is_err());
        }
    }

    #[test]
    fn a_value_that_was_moved_does_not_open() {
        let (ours, theirs) = (CommunityId::generate(), CommunityId::generate());
        let sealer = sealer(b"secret", b"webhooks");
        let sealed = sealer.seal(b"key", &place(ours, "1")).unwrap();
        let elsewhere = [
            place(theirs, "1"),
            place(ours, "2"),
            Place::of_community(ours, "webhooks.secret", ["1".to_owned()]),
            Place::of_platform("webhooks.api_key", ["1".to_owned()]),
        ];
        for place in elsewhere {
            assert!(sealer.open(&sealed, &place).is_err(), "{place:?}");
            assert!(sealer.seal_anew(&sealed, &place).is_err(), "{place:?}");
        }
    }

    #[test]
    fn a_value_of_the_format_before_opens_only_once_it_is_sealed_anew() {
        let here = place(CommunityId::generate(), "1");
        let sealer = sealer(b"secret", b"webhooks");
        // So many that some begin with the byte that is the format now.
        for _ in 0..1000 {
            let before = sealed_before(&sealer, b"key");
            assert!(sealer.open(&before, &here).is_err());
            let anew = sealer.seal_anew(&before, &here).unwrap().unwrap();
            assert_eq!(&**sealer.open(&anew, &here).unwrap(), b"key");
            assert_eq!(sealer.seal_anew(&anew, &here).unwrap(), None);
        }
    }
}
