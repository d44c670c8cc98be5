//! The text of a key, its digest and its mask (contract: identity, "Credentials").

use aws_lc_rs::rand;
use guildhall_auth::credential::digest_of;
use guildhall_runtime::{Error, Result};
use zeroize::Zeroizing;

use super::KeyKind;

/// Characters that a mask shows at each end.
const SHOWN: usize = 4;

/// The text of a new key: shown once and never stored.
pub(crate) struct KeyText(Zeroizing<String>);

impl KeyText {
    /// A new text: 40 lowercase hex for a system key, 64 for all others.
    ///
    /// # Errors
    /// INTERNAL without randomness.
    pub(crate) fn generate(kind: KeyKind) -> Result<Self> {
        let length = match kind {
            KeyKind::System => 20,
            KeyKind::Community | KeyKind::User | KeyKind::Sendbird => 32,
        };
        let mut bytes = Zeroizing::new(vec![0; length]);
        rand::fill(&mut bytes).map_err(Error::internal)?;
        Ok(Self(Zeroizing::new(hex::encode(&*bytes))))
    }

    /// SHA-256 of the text: what is stored and looked up instead.
    pub(crate) fn digest(&self) -> [u8; 32] {
        digest_of(&self.0)
    }

    /// Its first and last characters, by which its holder recognises it.
    pub(crate) fn masked(&self) -> String {
        let (first, last) = (&self.0[..SHOWN], &self.0[self.0.len() - SHOWN..]);
        format!("{first}…{last}")
    }

    /// The text itself, for the one answer that shows it.
    pub(crate) fn reveal(self) -> Zeroizing<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_length_and_shows_eight_characters() {
        for (kind, length) in [
            (KeyKind::System, 40),
            (KeyKind::Community, 64),
            (KeyKind::User, 64),
            (KeyKind::Sendbird, 64),
        ] {
            let key = KeyText::generate(kind).unwrap();
            let masked = key.masked();
            let text = key.reveal();
            assert_eq!(text.len(), length);
            assert!(
                text.bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            );
            assert_eq!(masked, format!("{}…{}", &text[..4], &text[length - 4..]));
        }
    }
}
