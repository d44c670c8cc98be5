//! What makes two requests one.

use std::fmt;

use zeroize::Zeroizing;

use crate::CommunityId;

/// The Idempotency-Key of a request, or another key that makes repeats known, and whose it is.
#[derive(Clone)]
pub struct IdempotencyKey {
    /// Where callers put it: the name of a header or of a field, for errors.
    pub name: &'static str,
    /// The caller's community.
    pub community: CommunityId,
    /// What names the caller's credential, without being it.
    pub credential: String,
    /// The caller's key.
    pub key: String,
    /// Derived from the credential itself, for answers that hold a secret.
    pub seal_secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyKey")
            .field("name", &self.name)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}
