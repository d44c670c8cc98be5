//! What goes to a receiver: headers and body of an attempt (contract: events, "Delivery").

use bytes::Bytes;
use guildhall_runtime::{Error, Result, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::receiver::Receiver;
use crate::{
    domain::{EventKind, signature},
    store::{deliveries, outgoing},
};

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Guildhall-Webhooks/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// What is shown instead of a secret.
const MASK: &str = "***";

/// An event as it goes to a receiver.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingEvent<'a> {
    /// What it tells of.
    pub kind: EventKind,
    /// `event_id` of the payload, a UUID.
    pub event_id: &'a str,
    /// When that happened.
    pub time: Timestamp,
    /// The payload, JSON.
    pub body: &'a str,
}

impl<'a> From<&'a deliveries::Model> for OutgoingEvent<'a> {
    fn from(delivery: &'a deliveries::Model) -> Self {
        Self {
            kind: delivery.event,
            event_id: &delivery.event_id,
            time: Timestamp::from_millis(delivery.event_time),
            body: &delivery.body,
        }
    }
}

/// What the headers of one attempt say beside the event.
struct OfAttempt {
    at: Timestamp,
    signature: String,
    is_encrypted: bool,
    api_key: Option<HeaderValue>,
}

/// Headers and body of an attempt: encrypted first, then signed.
///
/// # Errors
/// INTERNAL when the body cannot be encrypted or a header not be written.
pub(super) fn signed(
    receiver: &Receiver,
    event: OutgoingEvent<'_>,
    at: Timestamp,
) -> Result<(HeaderMap, Bytes)> {
    let plain = event.body.as_bytes();
    let body = match &receiver.encryption {
        Some((mode, key)) => Bytes::from(key.encrypt(*mode, plain)?),
        None => Bytes::copy_from_slice(plain),
    };
    let own = OfAttempt {
        at,
        signature: signature::header(&receiver.secrets, event.event_id, at, &body),
        is_encrypted: receiver.encryption.is_some(),
        api_key: receiver.api_key.clone(),
    };
    Ok((headers(event, own)?, body))
}

/// The headers of an attempt by name, its secrets masked.
///
/// # Errors
/// INTERNAL when the row was damaged.
pub fn masked(
    webhook: &outgoing::Model,
    event: OutgoingEvent<'_>,
    at: Timestamp,
) -> Result<Vec<(String, String)>> {
    let signatures = 1 + webhook.old_secrets.signing(at).count();
    let masked = HeaderValue::from_static(MASK);
    let own = OfAttempt {
        at,
        signature: vec![format!("v1,{MASK}"); signatures].join(" "),
        is_encrypted: webhook.encrypted,
        api_key: webhook.api_key.is_some().then_some(masked),
    };
    let headers = headers(event, own)?;
    let shown = headers.iter().map(|(name, value)| {
        let value = value.to_str().map_err(Error::internal)?;
        Ok((name.to_string(), value.to_owned()))
    });
    shown.collect()
}

fn headers(event: OutgoingEvent<'_>, own: OfAttempt) -> Result<HeaderMap> {
    let id = value(event.event_id)?;
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::USER_AGENT, USER_AGENT);
    let ours = [
        ("x-event", HeaderValue::from_static(event.kind.name())),
        ("x-event-id", id.clone()),
        ("x-event-timestamp", value(&event.time.to_iso())?),
        ("webhook-id", id),
        ("webhook-timestamp", HeaderValue::from(own.at.as_secs())),
        ("webhook-signature", value(&own.signature)?),
    ];
    for (name, value) in ours {
        headers.insert(HeaderName::from_static(name), value);
    }
    if own.is_encrypted {
        let yes = HeaderValue::from_static("true");
        headers.insert(HeaderName::from_static("x-encrypted"), yes);
    }
    if let Some(key) = own.api_key {
        headers.insert(HeaderName::from_static("x-api-key"), key);
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}
