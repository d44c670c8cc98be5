//! Which passwords are accepted, and new ones.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guildhall_runtime::{Error, Reason, Result};
use zeroize::Zeroizing;

/// The longest password in bytes: Argon2 would also hash megabytes, at the cost of other callers.
const MAX_BYTES: usize = 1024;
/// The shortest new password (NIST SP 800-63B).
const MIN_CHARS: usize = 8;
/// Random bytes of a generated password.
const GENERATED_BYTES: usize = 18;

/// A password of a login.
///
/// # Errors
/// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
pub(crate) fn presented(password: &str) -> Result<Zeroizing<String>> {
    if password.is_empty() {
        return Err(Error::missing("password"));
    }
    if password.len() > MAX_BYTES {
        let description = format!("password must be at most {MAX_BYTES} bytes");
        return Err(Error::violation(
            Reason::ValueTooLong,
            "password",
            description,
        ));
    }
    if password.contains('\0') {
        return Err(Error::invalid("password", "password must not contain NUL"));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

/// A new password that was chosen, not generated.
///
/// # Errors
/// Those of [`presented`], and INVALID_VALUE when it is too short.
pub(crate) fn chosen(password: &str) -> Result<Zeroizing<String>> {
    let password = presented(password)?;
    if password.chars().count() < MIN_CHARS {
        let description = format!("password must be at least {MIN_CHARS} characters");
        return Err(Error::invalid("password", description));
    }
    Ok(password)
}

/// A new password of 24 characters, 144 random bits.
///
/// # Errors
/// INTERNAL without randomness.
pub(crate) fn generate() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; GENERATED_BYTES]);
    rand::fill(&mut bytes[..]).map_err(Error::internal)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(&bytes[..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_a_shortest_and_a_longest_length() {
        assert!(chosen("ünïcödé1").is_ok());
        assert!(chosen("short").is_err());
        assert!(presented("short").is_ok());
        assert!(presented(&"a".repeat(1024)).is_ok());
        for bad in ["", "a\0b", &"a".repeat(1025)] {
            assert!(presented(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn generated_passwords_differ() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(chosen(&one).unwrap(), one);
    }
}
