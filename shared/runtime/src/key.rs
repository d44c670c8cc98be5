//! Keys that are derived from the platform's secret, one for each purpose.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// The length of a key, in bytes.
pub const LENGTH: usize = 32;

/// The key for `purpose`; that of another purpose says nothing of it (HKDF-SHA256).
///
/// # Errors
/// Never in practice: only when it would be too long.
pub fn derive(secret: &[u8], purpose: &[u8]) -> Result<Zeroizing<[u8; LENGTH]>> {
    let mut key = Zeroizing::new([0; LENGTH]);
    Salt::new(HKDF_SHA256, b"guildhall")
        .extract(secret)
        .expand(&[purpose], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key[..]))
        .map_err(Error::internal)?;
    Ok(key)
}
