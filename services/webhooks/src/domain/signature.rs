//! Signatures of deliveries, as Standard Webhooks has them (contract: events, "Delivery").

use aws_lc_rs::{hmac, rand};
use base64::{Engine, engine::general_purpose::STANDARD};
use guildhall_runtime::{Error, Result, Timestamp};
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;
const PREFIX: &str = "whsec_";

/// The secret that a webhook signs with.
pub struct SigningSecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl SigningSecret {
    /// A new one.
    ///
    /// # Errors
    /// Never in practice: only without randomness.
    pub fn generate() -> Result<Self> {
        let mut key = Zeroizing::new(vec![0; KEY_LEN]);
        rand::fill(&mut key).map_err(Error::internal)?;
        Ok(Self(key))
    }

    /// The secret whose bytes were stored.
    #[must_use]
    pub fn from_bytes(key: Zeroizing<Vec<u8>>) -> Self {
        Self(key)
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text, which is shown once: `whsec_` and base64.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(STANDARD.encode(&*self.0));
        Zeroizing::new(format!("{PREFIX}{}", *text))
    }

    /// `v1,` and the base64 HMAC-SHA256 of `{id}.{Unix seconds}.{body}`.
    fn sign(&self, id: &str, time: Timestamp, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{}.", time.as_secs()).as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// The header `webhook-signature`: a signature by each of the secrets, separated by blanks.
#[must_use]
pub fn header(secrets: &[SigningSecret], id: &str, time: Timestamp, body: &[u8]) -> String {
    let signatures: Vec<_> = secrets
        .iter()
        .map(|secret| secret.sign(id, time, body))
        .collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use standardwebhooks::Webhook;

    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_library_makes() {
        let secret = SigningSecret::generate().unwrap();
        let library = Webhook::new(&secret.reveal()).unwrap();
        let now = Timestamp::now();
        for body in ["", "{}", "{\"text\":\"Zoë\"}"] {
            let expected = library.sign("id", now.as_secs(), body.as_bytes()).unwrap();
            assert_eq!(secret.sign("id", now, body.as_bytes()), expected);
        }
    }

    #[test]
    fn while_a_secret_is_rotated_both_sign() {
        let secrets = [(); 2].map(|()| SigningSecret::generate().unwrap());
        let now = Timestamp::now();
        let both = header(&secrets, "id", now, b"{}");
        let signatures: Vec<_> = both.split(' ').collect();
        assert_eq!(
            signatures,
            secrets.each_ref().map(|s| s.sign("id", now, b"{}"))
        );
        assert_ne!(signatures[0], signatures[1]);
    }
}
