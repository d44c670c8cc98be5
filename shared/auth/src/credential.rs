//! What a caller presents.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_runtime::{Error, Reason, Result};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use zeroize::Zeroizing;

/// The longest credential that is looked at; a JWT of ours has about 400 bytes.
const MAX_LEN: usize = 4096;

/// A credential as it travels: `authorization: <scheme> <secret>`.
#[derive(Clone)]
pub struct Credential {
    scheme: Scheme,
    secret: Zeroizing<String>,
    digest: [u8; 32],
}

/// How a credential is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Bearer`: a JWT, a community key or a user key; the look-up says which.
    Bearer,
    /// `SystemKey`
    SystemKey,
    /// `SendbirdToken`
    SendbirdToken,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::SystemKey => "SystemKey",
            Self::SendbirdToken => "SendbirdToken",
        }
    }
}

impl Credential {
    /// A credential of `scheme`.
    #[must_use]
    pub fn new(scheme: Scheme, secret: &str) -> Self {
        Self {
            scheme,
            secret: Zeroizing::new(secret.to_owned()),
            digest: digest_of(secret),
        }
    }

    /// Reads gRPC metadata; none when there is no `authorization`, or an empty one.
    ///
    /// # Errors
    /// As [`once`] and [`announced`](Self::announced) say.
    pub fn from_metadata(headers: &HeaderMap) -> Result<Option<Self>> {
        const SCHEMES: &[Scheme] = &[Scheme::Bearer, Scheme::SystemKey, Scheme::SendbirdToken];
        let text = once(headers, AUTHORIZATION.as_str())?;
        Self::announced(text, SCHEMES)
    }

    /// Reads `<scheme> <secret>`; none when there is no secret.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID for another scheme than these, and as [`of`](Self::of) says.
    pub fn announced(text: &str, schemes: &[Scheme]) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let (scheme, secret) = text.split_once(' ').unwrap_or((text, ""));
        let mut schemes = schemes.iter();
        let scheme = schemes.find(|known| known.as_str().eq_ignore_ascii_case(scheme));
        Self::of(*scheme.ok_or_else(Self::invalid)?, secret.trim())
    }

    /// A credential of a caller; none when its text is empty.
    ///
    /// # Errors
    /// CREDENTIAL_INVALID for an absurd length.
    pub fn of(scheme: Scheme, secret: &str) -> Result<Option<Self>> {
        if secret.len() > MAX_LEN {
            return Err(Self::invalid());
        }
        Ok((!secret.is_empty()).then(|| Self::new(scheme, secret)))
    }

    /// The value of `authorization` that carries it on.
    #[must_use]
    pub fn to_metadata(&self) -> HeaderValue {
        let text = format!("{} {}", self.scheme.as_str(), *self.secret);
        // What is not a header value cannot be a credential; the look-up will say so.
        let mut value =
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer -"));
        value.set_sensitive(true);
        value
    }

    /// How it is announced.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its text: for checking it, never for showing it.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// SHA-256 of its text. Keys are 256 random bits, so a plain hash hides them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// A JWT has three parts; a key is hex.
    #[must_use]
    pub fn is_jwt(&self) -> bool {
        self.scheme == Scheme::Bearer && self.secret.contains('.')
    }

    /// The error for two different credentials.
    #[must_use]
    pub fn conflict() -> Error {
        Error::new(Reason::CredentialsConflict, "Send one credential, once")
    }

    /// The error for a credential that is none: one text for every cause.
    #[must_use]
    pub fn invalid() -> Error {
        Error::new(Reason::CredentialInvalid, "Invalid token")
    }
}

/// The text of a header that carries a credential; empty when it is absent.
///
/// # Errors
/// CREDENTIALS_CONFLICT for one that is there twice, whatever it holds: who reads the first and who
/// reads the last must not let in different callers. CREDENTIAL_INVALID for one that is not printable.
pub fn once<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(""),
        (Some(value), None) => {
            let text = value.to_str().map(str::trim);
            text.map_err(|_| Credential::invalid())
        }
        (Some(_), Some(_)) => Err(Credential::conflict()),
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && aws_lc_rs::constant_time::verify_slices_are_equal(
                self.secret.as_bytes(),
                other.secret.as_bytes(),
            )
            .is_ok()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} …", self.scheme.as_str())
    }
}

/// The digest of the credential that a call was let in with, an extension of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialDigest(pub [u8; 32]);

/// SHA-256 of a key's text: what is stored and looked up in its place.
#[must_use]
pub fn digest_of(secret: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<Credential>> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        Credential::from_metadata(&headers)
    }

    #[test]
    fn it_reads_back_what_it_writes() {
        for scheme in [Scheme::Bearer, Scheme::SystemKey, Scheme::SendbirdToken] {
            let credential = Credential::new(scheme, "abc");
            let text = credential.to_metadata().to_str().unwrap().to_owned();
            assert_eq!(read(&text).unwrap(), Some(credential));
        }
    }

    #[test]
    fn empty_is_missing_and_nonsense_is_invalid() {
        for nothing in ["", "Bearer", "bearer ", "SystemKey"] {
            assert_eq!(read(nothing).unwrap(), None);
        }
        for nonsense in ["Basic abc", "abc", &format!("Bearer {}", "a".repeat(5000))] {
            assert_eq!(
                read(nonsense).unwrap_err().reason(),
                Reason::CredentialInvalid,
                "{nonsense}"
            );
        }
    }

    #[test]
    fn a_header_that_is_there_twice_conflicts_whatever_it_holds() {
        let mut headers = HeaderMap::new();
        for value in ["Bearer abc", "Bearer abc"] {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        let refused = Credential::from_metadata(&headers).unwrap_err();
        assert_eq!(refused.reason(), Reason::CredentialsConflict);
    }

    #[test]
    fn it_never_shows_its_secret() {
        let credential = Credential::new(Scheme::Bearer, "s3cret");
        assert!(!format!("{credential:?} {:?}", credential.to_metadata()).contains("s3cret"));
    }
}
