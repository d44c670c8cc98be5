//! Who speaks on the broker. Whoever reaches it can publish there; only processes that have the
//! platform's secret can sign.

use std::{
    fmt,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, HeaderValue};
use aws_lc_rs::{
    constant_time,
    hmac::{self, HMAC_SHA256},
};
use guildhall_runtime::{Result, key};

/// The header of a message that holds its signature: the format, a space and an HMAC-SHA256 in hex.
const HEADER: &str = "Guildhall-Signature";
/// The format, with the space.
const FORMAT: &str = "v1 ";
/// How often the log tells of messages that are dropped.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The keys with which the processes of a platform sign what they publish. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BrokerKeys {
    /// Signs batches of events.
    pub events: MessageKey,
    /// Signs batches of signals.
    pub(crate) signals: MessageKey,
}

impl BrokerKeys {
    /// The keys of the platform with this secret.
    ///
    /// # Errors
    /// Never in practice: only when a key of its own length cannot be derived.
    pub fn derive(secret: &[u8]) -> Result<Self> {
        Ok(Self {
            events: MessageKey::derive(secret, b"broker events")?,
            signals: MessageKey::derive(secret, b"broker signals")?,
        })
    }
}

/// A key that signs messages of one kind.
#[derive(Clone)]
pub struct MessageKey(hmac::Key);

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey")
    }
}

/// Why a message is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It has no signature, or one of another format.
    Unsigned,
    /// Its signature is that of another message, or of another secret.
    Forged,
    /// It was received before.
    Repeated,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unsigned, Self::Forged, Self::Repeated];

    /// Its name in metrics and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Repeated => "repeated",
        }
    }
}

impl MessageKey {
    fn derive(secret: &[u8], purpose: &[u8]) -> Result<Self> {
        let key = key::derive(secret, purpose)?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, &key[..])))
    }

    /// The headers of a message of these parts: what must not be taken from one message into
    /// another, such as its subject and its body.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> HeaderMap {
        let signature = hex::encode(self.mac(parts));
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, format!("{FORMAT}{signature}"));
        headers
    }

    /// Checks the signature among the headers of a message of these parts.
    ///
    /// # Errors
    /// When there is none, or it is another one's.
    pub fn verify(&self, headers: Option<&HeaderMap>, parts: &[&[u8]]) -> Result<(), Rejection> {
        let signature = headers.and_then(|headers| headers.get(HEADER));
        let signature = signature.map(HeaderValue::as_str);
        let signature = signature.and_then(|text| text.strip_prefix(FORMAT));
        let signature = signature.ok_or(Rejection::Unsigned)?;
        let signature = hex::decode(signature).map_err(|_| Rejection::Forged)?;
        let mac = self.mac(parts);
        constant_time::verify_slices_are_equal(mac.as_ref(), &signature)
            .map_err(|_| Rejection::Forged)
    }

    /// Every part after its length, so that no part can lend a byte to the next.
    fn mac(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

/// What the log tells of messages that are dropped: not every one of a flood.
#[derive(Debug, Default)]
pub struct RejectionLog {
    warned_at: Option<Instant>,
}

impl RejectionLog {
    /// Tells of a message on this subject, unless it has just told of another.
    pub fn note(&mut self, subject: &str, rejection: Rejection) {
        if self.warned_at.is_none_or(|at| at.elapsed() > WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            let reason = rejection.as_str();
            tracing::warn!(
                subject,
                reason,
                "a message on the broker was dropped: somebody without the platform's secret publishes there"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_message_and_secret_alone() {
        let keys = BrokerKeys::derive(b"secret").unwrap();
        let parts: [&[u8]; 2] = [b"subject", b"body"];
        let headers = keys.events.sign(&parts);
        assert_eq!(keys.events.verify(Some(&headers), &parts), Ok(()));
        let others: [&[&[u8]]; 4] = [
            &[b"subjectb", b"ody"],
            &[b"subject", b"bodY"],
            &[b"subject"],
            &[b"subject", b"body", b""],
        ];
        for other in others {
            let refused = keys.events.verify(Some(&headers), other);
            assert_eq!(refused, Err(Rejection::Forged), "{other:?}");
        }
        let stranger = BrokerKeys::derive(b"another").unwrap();
        for key in [keys.signals, stranger.events] {
            let refused = key.verify(Some(&headers), &parts);
            assert_eq!(refused, Err(Rejection::Forged));
        }
    }

    #[test]
    fn what_has_no_signature_of_this_format_is_unsigned() {
        let key = BrokerKeys::derive(b"secret").unwrap().events;
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, text);
            key.verify(Some(&headers), &[b"body"])
        };
        assert_eq!(key.verify(None, &[b"body"]), Err(Rejection::Unsigned));
        assert_eq!(with("v2 00"), Err(Rejection::Unsigned));
        for forged in ["v1 ", "v1 00", "v1 no hex"] {
            assert_eq!(with(forged), Err(Rejection::Forged), "{forged}");
        }
    }
}
