//! Encrypted bodies, out and in (contract: events, "Encryption").

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    cipher::{
        AES_256, AES_CBC_IV_LEN, DecryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    error::Unspecified,
    iv::FixedLength,
    rand,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use guildhall_data::seal::{Place, Sealer};
use guildhall_proto::webhooks::v1::{EncryptionMode, EncryptionSpec};
use guildhall_runtime::{Error, Result};
use guildhall_types::{Fields, ProtoEnum as _, mask::set, proto_enum};
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;
/// GCM appends the tag to the ciphertext; the wire has it apart.
const TAG_LEN: usize = 16;

/// How AES-256 is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Mode {
    /// Authentic by itself.
    #[sea_orm(num_value = 1)]
    Gcm,
    /// Not authentic by itself.
    #[sea_orm(num_value = 2)]
    Cbc,
}

proto_enum!(Mode as EncryptionMode { Gcm, Cbc });

/// The key of a webhook: 32 printable ASCII characters, taken as bytes.
#[derive(Clone)]
pub struct AesKey(Zeroizing<[u8; KEY_LEN]>);

impl std::fmt::Debug for AesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesKey")
    }
}

/// What becomes of the encryption of a webhook: the fields that change, checked.
#[derive(Debug)]
pub struct EncryptionChange {
    /// Whether bodies are encrypted.
    pub enabled: Option<bool>,
    /// How they are.
    pub mode: Option<Mode>,
    /// With what; an empty key in a request keeps the present one.
    pub key: Option<AesKey>,
}

impl EncryptionChange {
    /// Reads those fields of `encryption` that are meant.
    ///
    /// # Errors
    /// INVALID_VALUE; the key is not repeated.
    pub fn parse(spec: Option<EncryptionSpec>, fields: &mut Fields) -> Result<Self> {
        let spec = spec.unwrap_or_default();
        let text = Zeroizing::new(spec.key);
        let key = fields.read("encryption.key", |_| {
            (!text.is_empty()).then(|| AesKey::parse(&text)).transpose()
        })?;
        Ok(Self {
            enabled: fields.value("encryption.enabled", spec.enabled),
            // GCM, unless the request says otherwise.
            mode: fields.read("encryption.mode", |field| {
                Ok(Mode::read(field, spec.mode)?.unwrap_or(Mode::Gcm))
            })?,
            key: key.flatten(),
        })
    }

    /// Makes what is stored what the change says: whether bodies are encrypted, how, and the key,
    /// sealed for its place.
    ///
    /// # Errors
    /// MISSING_FIELD when they are to be encrypted and there is no key.
    pub fn apply(
        self,
        enabled: &mut bool,
        mode: &mut Mode,
        key: &mut Option<Vec<u8>>,
        (sealer, place): (&Sealer, &Place),
    ) -> Result<()> {
        set(enabled, self.enabled);
        set(mode, self.mode);
        if let Some(new) = self.key {
            *key = Some(sealer.seal(new.as_bytes(), place)?);
        }
        match *enabled && key.is_none() {
            true => Err(Error::missing("encryption.key")),
            false => Ok(()),
        }
    }
}

/// The fields of `encryption` that hold something.
pub fn populated(spec: Option<&EncryptionSpec>) -> impl Iterator<Item = &'static str> {
    let fields = spec.map(|spec| {
        [
            ("encryption.enabled", spec.enabled),
            ("encryption.mode", spec.mode != 0),
            ("encryption.key", !spec.key.is_empty()),
        ]
    });
    let fields = fields.into_iter().flatten();
    fields.filter_map(|(field, holds)| holds.then_some(field))
}

/// A body on the wire, all parts in base64 with padding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    iv: String,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
}

impl AesKey {
    /// Reads a key.
    ///
    /// # Errors
    /// INVALID_VALUE for anything but 32 printable ASCII characters; the text is not repeated.
    pub fn parse(text: &str) -> Result<Self> {
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let bytes = <[u8; KEY_LEN]>::try_from(text.as_bytes()).ok();
        bytes
            .filter(|_| is_printable)
            .map(|bytes| Self(Zeroizing::new(bytes)))
            .ok_or_else(|| {
                Error::invalid(
                    "encryption.key",
                    "encryption.key must be exactly 32 printable ASCII characters",
                )
            })
    }

    /// Its text, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// The body that is sent in place of `plain`, with an IV of its own.
    ///
    /// # Errors
    /// Never in practice: only without randomness.
    pub fn encrypt(&self, mode: Mode, plain: &[u8]) -> Result<Vec<u8>> {
        let wire = match mode {
            Mode::Gcm => self.encrypt_gcm(plain),
            Mode::Cbc => self.encrypt_cbc(plain),
        };
        let wire = wire.map_err(Error::internal)?;
        serde_json::to_vec(&wire).map_err(Error::internal)
    }

    /// What was encrypted; none for anything that cannot be decrypted, whatever the cause.
    #[must_use]
    pub fn decrypt(&self, mode: Mode, body: &[u8]) -> Option<Vec<u8>> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        let (iv, data) = (
            STANDARD.decode(&wire.iv).ok()?,
            STANDARD.decode(&wire.data).ok()?,
        );
        match (mode, wire.tag) {
            (Mode::Gcm, Some(tag)) => {
                let tag = STANDARD.decode(tag).ok()?;
                self.decrypt_gcm(&iv, data, &tag).ok()
            }
            (Mode::Cbc, None) => self.decrypt_cbc(&iv, data).ok(),
            (Mode::Gcm, None) | (Mode::Cbc, Some(_)) => None,
        }
    }

    fn encrypt_gcm(&self, plain: &[u8]) -> Result<Wire, Unspecified> {
        let mut iv = [0; NONCE_LEN];
        rand::fill(&mut iv)?;
        let mut data = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = self
            .gcm()?
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut data)?;
        Ok(Wire {
            iv: STANDARD.encode(iv),
            data: STANDARD.encode(data),
            tag: Some(STANDARD.encode(tag)),
        })
    }

    fn decrypt_gcm(
        &self,
        iv: &[u8],
        mut data: Vec<u8>,
        tag: &[u8],
    ) -> Result<Vec<u8>, Unspecified> {
        if tag.len() != TAG_LEN {
            return Err(Unspecified);
        }
        let nonce = Nonce::try_assume_unique_for_key(iv)?;
        data.extend_from_slice(tag);
        let length = self
            .gcm()?
            .open_in_place(nonce, Aad::empty(), &mut data)?
            .len();
        data.truncate(length);
        Ok(data)
    }

    fn gcm(&self) -> Result<LessSafeKey, Unspecified> {
        UnboundKey::new(&AES_256_GCM, self.as_bytes()).map(LessSafeKey::new)
    }

    fn encrypt_cbc(&self, plain: &[u8]) -> Result<Wire, Unspecified> {
        let mut data = plain.to_vec();
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(self.cbc()?)?;
        let context = key.encrypt(&mut data)?;
        let DecryptionContext::Iv128(iv) = context else {
            return Err(Unspecified);
        };
        Ok(Wire {
            iv: STANDARD.encode(iv.as_ref()),
            data: STANDARD.encode(data),
            tag: None,
        })
    }

    fn decrypt_cbc(&self, iv: &[u8], mut data: Vec<u8>) -> Result<Vec<u8>, Unspecified> {
        let iv = <[u8; AES_CBC_IV_LEN]>::try_from(iv).map_err(|_| Unspecified)?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(self.cbc()?)?;
        let length = key.decrypt(&mut data, context)?.len();
        data.truncate(length);
        Ok(data)
    }

    fn cbc(&self) -> Result<UnboundCipherKey, Unspecified> {
        UnboundCipherKey::new(&AES_256, self.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789 abcdefghijklmnopqrst~";

    #[test]
    fn what_was_encrypted_is_decrypted_in_its_own_mode_alone() {
        let key = AesKey::parse(KEY).unwrap();
        for (mode, other) in [(Mode::Gcm, Mode::Cbc), (Mode::Cbc, Mode::Gcm)] {
            let body = key.encrypt(mode, b"{}").unwrap();
            assert_eq!(key.decrypt(mode, &body).unwrap(), b"{}");
            assert_eq!(key.decrypt(other, &body), None);
            assert_ne!(key.encrypt(mode, b"{}").unwrap(), body, "an IV came twice");
        }
    }

    #[test]
    fn what_cannot_be_decrypted_is_nothing() {
        let key = AesKey::parse(KEY).unwrap();
        let other = AesKey::parse(&KEY.replace('a', "b")).unwrap();
        let body = key.encrypt(Mode::Gcm, b"secret").unwrap();
        assert_eq!(other.decrypt(Mode::Gcm, &body), None);
        let text = String::from_utf8(body).unwrap();
        for broken in [
            "",
            "{}",
            "null",
            &text.replace("\"tag\"", "\"gat\""),
            &text.replace("\"iv\":\"", "\"iv\":\"AAAA"),
            &text.replace("\"data\":\"", "\"data\":\"!"),
        ] {
            assert_eq!(key.decrypt(Mode::Gcm, broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_key_is_32_printable_characters() {
        for wrong in [
            "",
            &KEY[1..],
            &KEY.replace('a', "ä"),
            &KEY.replace('a', "\n"),
        ] {
            assert!(AesKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
