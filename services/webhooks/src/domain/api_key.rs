//! Keys that open one webhook or workflow (contract: identity, "Credentials").

use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use guildhall_auth::{Credential, credential::digest_of};
use guildhall_runtime::{Error, Reason, Result};
use zeroize::Zeroizing;

/// Bytes of a key, which is twice as many hex characters.
const LENGTH: usize = 32;

/// The text of a new key: shown once, stored never.
pub struct ApiKey(Zeroizing<String>);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey")
    }
}

impl ApiKey {
    /// A new key, 64 lowercase hex.
    ///
    /// # Errors
    /// INTERNAL without randomness.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        rand::fill(&mut bytes[..]).map_err(Error::internal)?;
        Ok(Self(Zeroizing::new(hex::encode(&bytes[..]))))
    }

    /// What is stored in its place.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        digest_of(&self.0).to_vec()
    }

    /// The text itself, for the one answer that shows it.
    #[must_use]
    pub fn reveal(self) -> Zeroizing<String> {
        self.0
    }
}

/// Lets in who presents the key of this digest.
///
/// # Errors
/// CREDENTIAL_MISSING, CREDENTIAL_INVALID.
pub fn check(digest: &[u8], presented: &str) -> Result<()> {
    if presented.is_empty() {
        return Err(Error::new(Reason::CredentialMissing, "Invalid token"));
    }
    // Of digests even the time that a comparison takes tells nothing about the key.
    verify_slices_are_equal(&digest_of(presented), digest).map_err(|_| Credential::invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_was_made_for() {
        let key = ApiKey::generate().unwrap();
        let digest = key.digest();
        let text = key.reveal();
        assert_eq!(text.len(), 64);
        assert!(check(&digest, &text).is_ok());
        let reason = |presented: &str| check(&digest, presented).unwrap_err().reason();
        assert_eq!(reason(""), Reason::CredentialMissing);
        assert_eq!(reason(&text[1..]), Reason::CredentialInvalid);
        let other = ApiKey::generate().unwrap().reveal();
        assert_eq!(reason(&other), Reason::CredentialInvalid);
    }
}
