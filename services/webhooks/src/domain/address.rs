//! The last part of the url of an incoming webhook: long enough that nobody guesses it.

use std::{fmt, str::FromStr};

use aws_lc_rs::rand;
use guildhall_runtime::{Error, Result};

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH: usize = 32;
/// The largest multiple of the alphabet's size in a byte: what lies above would favour some letters.
const FAIR: u8 = 252;

/// 32 characters `a` to `z` and `0` to `9`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// A random address.
    ///
    /// # Errors
    /// INTERNAL without randomness.
    pub fn generate() -> Result<Self> {
        let mut address = String::with_capacity(LENGTH);
        while address.len() < LENGTH {
            let mut byte = [0];
            rand::fill(&mut byte).map_err(Error::internal)?;
            if byte[0] < FAIR {
                let letter = ALPHABET[usize::from(byte[0]) % ALPHABET.len()];
                address.push(char::from(letter));
            }
        }
        Ok(Self(address))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its text.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Who knows an address may call it, so it is shown to nobody by chance.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address")
    }
}

/// A text that was never an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let is_one = text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one.then(|| Self(text.to_owned())).ok_or(NoAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_32_of_36_characters_and_never_the_same() {
        let address = Address::generate().unwrap();
        assert_eq!(address.as_str().parse(), Ok(address.clone()));
        assert_ne!(Address::generate().unwrap(), address);
        for wrong in ["", "a", &"A".repeat(32), &"a".repeat(33), &"é".repeat(16)] {
            assert_eq!(wrong.parse::<Address>(), Err(NoAddress), "{wrong}");
        }
    }
}
