//! What an outgoing webhook may be (contract: events, "Management").

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_data::{ChannelId, WebhookId};
use guildhall_proto::webhooks::v1::OutgoingWebhookSpec;
use guildhall_runtime::{Error, Result};
use guildhall_types::{Fields, list, text};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{EncryptionChange, EventKinds, MAX_NAME, public_net::is_public};

/// The longest url, in characters.
const MAX_URL: usize = 2048;
/// Channels of `channel_message_posted` at most.
const MAX_CHANNELS: usize = 100;
/// Incoming webhooks that are ignored at most.
const MAX_IGNORED: usize = 50;
/// The longest API key, in characters.
const MAX_API_KEY: usize = 255;

/// Where deliveries go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the admin wrote it.
    pub text: String,
    url: Url,
}

impl Target {
    /// Reads an address: https, or http where private receivers are allowed, too.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
    pub fn parse(text: &str, allow_private: bool) -> Result<Self> {
        let text = text::line("url", text, MAX_URL)?;
        let url = Url::parse(&text).map_err(|_| Error::invalid("url", "url must be a URL"))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_private => {}
            _ => return Err(Error::invalid("url", "url must begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            let description = "url must not hold a user name or password";
            return Err(Error::invalid("url", description));
        }
        if !allow_private && address_of(&url).is_some_and(|address| !is_public(address)) {
            let description = "url must be one of the public internet";
            return Err(Error::invalid("url", description));
        }
        Ok(Self { text, url })
    }

    /// What two webhooks must not have in common: the same url and events.
    #[must_use]
    pub fn fingerprint(&self, events: EventKinds) -> Vec<u8> {
        let text = format!("{} {}", events.bits(), self.url);
        digest(&SHA256, text.as_bytes()).as_ref().to_vec()
    }
}

/// The address that a url holds instead of a name.
#[must_use]
pub fn address_of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// What becomes of a webhook: the fields that change, checked.
#[derive(Debug)]
pub struct Change {
    /// The name shown to admins.
    pub name: Option<String>,
    /// Where deliveries go.
    pub target: Option<Target>,
    /// What it tells of.
    pub events: Option<EventKinds>,
    /// The channels of `channel_message_posted`.
    pub channels: Option<Vec<ChannelId>>,
    /// Incoming webhooks whose messages it does not tell of.
    pub ignored: Option<Vec<WebhookId>>,
    /// Whether it delivers.
    pub enabled: Option<bool>,
    /// How bodies are encrypted.
    pub encryption: EncryptionChange,
    /// What is sent as `x-api-key`; empty for nothing.
    pub api_key: Option<Zeroizing<String>>,
    /// Whether bulk imports tell of each member.
    pub joins_on_bulk_import: Option<bool>,
}

impl Change {
    /// Reads those fields of a spec that are meant.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, MALFORMED_ID, INVALID_VALUE. Secrets are not repeated.
    pub fn parse(
        spec: Option<OutgoingWebhookSpec>,
        fields: &mut Fields,
        allow_private: bool,
    ) -> Result<Self> {
        let spec = spec.unwrap_or_default();
        let (channels, ignored) = (&spec.channel_ids, &spec.ignored_incoming_ids);
        Ok(Self {
            name: fields.read("name", |field| text::line(field, &spec.name, MAX_NAME))?,
            target: fields.read("url", |_| Target::parse(&spec.url, allow_private))?,
            events: fields.read("events", |_| EventKinds::parse(&spec.events))?,
            channels: fields.read("channel_ids", |field| {
                list::ids(field, channels, MAX_CHANNELS)
            })?,
            ignored: fields.read("ignored_incoming_ids", |field| {
                list::ids(field, ignored, MAX_IGNORED)
            })?,
            enabled: fields.value("enabled", spec.enabled.unwrap_or(true)),
            encryption: EncryptionChange::parse(spec.encryption, fields)?,
            api_key: fields.read("api_key", |field| api_key(field, spec.api_key))?,
            joins_on_bulk_import: fields.value("joins_on_bulk_import", spec.joins_on_bulk_import),
        })
    }
}

fn api_key(field: &str, text: String) -> Result<Zeroizing<String>> {
    let text = Zeroizing::new(text);
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    // A header would lose the space around it.
    if !is_printable || text.len() > MAX_API_KEY || text.trim() != text.as_str() {
        let description =
            format!("{field} must be at most {MAX_API_KEY} printable ASCII characters");
        return Err(Error::invalid(field, description));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use guildhall_proto::webhooks::v1::EncryptionSpec;
    use guildhall_types::FieldMask;

    use super::*;

    fn spec() -> OutgoingWebhookSpec {
        OutgoingWebhookSpec {
            name: "CRM".into(),
            url: "https://crm.example/hook".into(),
            events: vec![3],
            ..OutgoingWebhookSpec::default()
        }
    }

    fn parse(spec: Option<OutgoingWebhookSpec>, mask: FieldMask) -> Result<Change> {
        mask.read(|fields| Change::parse(spec, fields, false))
    }

    fn field_of(change: impl FnOnce(&mut OutgoingWebhookSpec)) -> String {
        let mut spec = spec();
        change(&mut spec);
        let refused = parse(Some(spec), FieldMask::all()).unwrap_err();
        refused.violations()[0].field.clone()
    }

    #[test]
    fn a_new_webhook_has_a_name_a_url_and_events() {
        let change = parse(Some(spec()), FieldMask::all()).unwrap();
        assert_eq!(change.enabled, Some(true), "unless it says otherwise");
        assert_eq!(change.encryption.enabled, Some(false));
        assert_eq!(
            field_of(|spec| *spec = OutgoingWebhookSpec::default()),
            "name"
        );
        assert_eq!(field_of(|spec| spec.url.clear()), "url");
        assert_eq!(field_of(|spec| spec.events.clear()), "events");
        assert_eq!(
            field_of(|spec| spec.channel_ids = vec!["x".into()]),
            "channel_ids"
        );
        assert_eq!(field_of(|spec| spec.api_key = "käse".into()), "api_key");
        let short = EncryptionSpec {
            key: "short".into(),
            ..EncryptionSpec::default()
        };
        assert_eq!(
            field_of(|spec| spec.encryption = Some(short)),
            "encryption.key"
        );
    }

    #[test]
    fn a_url_is_https_and_public_unless_private_receivers_are_allowed() {
        let longest = format!("https://a.example/{}", "a".repeat(MAX_URL - 18));
        for (url, allowed, allowed_privately) in [
            ("https://a.example", true, true),
            (longest.as_str(), true, true),
            (&format!("{longest}a"), false, false),
            ("http://a.example", false, true),
            ("https://127.0.0.1/", false, true),
            ("https://[::1]/", false, true),
            // Written otherwise, it is the same address.
            ("https://2130706433/", false, true),
            ("https://user@a.example", false, false),
            ("ftp://a.example", false, false),
            ("https://", false, false),
            ("a.example", false, false),
        ] {
            assert_eq!(Target::parse(url, false).is_ok(), allowed, "{url}");
            assert_eq!(Target::parse(url, true).is_ok(), allowed_privately, "{url}");
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_url_however_it_is_written() {
        let events = EventKinds::parse(&[3]).unwrap();
        let of = |url| Target::parse(url, false).unwrap().fingerprint(events);
        assert_eq!(of("https://a.example"), of("HTTPS://A.example:443/"));
        assert_ne!(of("https://a.example"), of("https://a.example/b"));
    }

    #[test]
    fn a_mask_means_what_it_names() {
        let mask = |paths: &[&str]| {
            let paths = paths.iter().map(|path| (*path).into()).collect();
            FieldMask::of(Some(prost_types::FieldMask { paths }))
        };
        let change = parse(Some(spec()), mask(&["url"])).unwrap();
        assert!(change.target.is_some() && change.name.is_none() && change.enabled.is_none());
        let change = parse(Some(spec()), mask(&["encryption"])).unwrap();
        assert!(change.encryption.enabled == Some(false) && change.encryption.mode.is_some());
        let nothing = parse(None, mask(&[])).unwrap();
        assert!(nothing.name.is_none());
        assert!(parse(None, mask(&["id"])).is_err());
    }
}
