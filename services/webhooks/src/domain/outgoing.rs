//! What an outgoing webhook may be (contract: events, "Management").

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_data::{ChannelId, WebhookId};
use guildhall_proto::webhooks::v1::OutgoingWebhookSpec;
use guildhall_runtime::{Error, Reason, Result};
use prost_types::FieldMask;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{AesKey, EventKinds, Mode, public_net::is_public};

/// Outgoing webhooks of a community at most.
pub const MAX_WEBHOOKS: usize = 50;
/// The longest name, in characters.
const MAX_NAME: usize = 100;
/// The longest url, in characters.
const MAX_URL: usize = 2048;
/// Channels of `channel_message_posted` at most.
const MAX_CHANNELS: usize = 100;
/// Incoming webhooks that are ignored at most.
const MAX_IGNORED: usize = 50;
/// The longest API key, in characters.
const MAX_API_KEY: usize = 255;
/// The fields of a spec, as masks name them.
const FIELDS: [&str; 11] = [
    "name",
    "url",
    "events",
    "channel_ids",
    "ignored_incoming_ids",
    "enabled",
    "encryption.enabled",
    "encryption.mode",
    "encryption.key",
    "api_key",
    "joins_on_bulk_import",
];

/// Which fields of a spec are meant.
#[derive(Debug, Clone)]
pub struct Fields(Vec<&'static str>);

impl Fields {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self(FIELDS.to_vec())
    }

    /// Those of a mask; `encryption` stands for all that is in it.
    ///
    /// # Errors
    /// INVALID_VALUE for a field that does not exist.
    pub fn of(mask: Option<FieldMask>) -> Result<Self> {
        let mut fields = Vec::new();
        for path in mask.unwrap_or_default().paths {
            let within = |field: &&&str| {
                let rest = field.strip_prefix(path.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let before = fields.len();
            fields.extend(FIELDS.iter().filter(within));
            if fields.len() == before {
                let description = "update_mask names a field that does not exist";
                return Err(Error::invalid("update_mask", description));
            }
        }
        Ok(Self(fields))
    }

    fn when<T>(&self, field: &str, read: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        self.0.contains(&field).then(read).transpose()
    }
}

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
        let text = line("url", text, MAX_URL)?;
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
    /// Whether bodies are encrypted.
    pub encrypted: Option<bool>,
    /// How they are.
    pub mode: Option<Mode>,
    /// With what; an empty one in a request keeps what is there.
    pub aes_key: Option<AesKey>,
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
        fields: &Fields,
        allow_private: bool,
    ) -> Result<Self> {
        let spec = spec.unwrap_or_default();
        let encryption = spec.encryption.unwrap_or_default();
        let key = Zeroizing::new(encryption.key.clone());
        let aes_key = fields.when("encryption.key", || {
            (!key.is_empty()).then(|| AesKey::parse(&key)).transpose()
        })?;
        let (channels, ignored) = (&spec.channel_ids, &spec.ignored_incoming_ids);
        Ok(Self {
            name: fields.when("name", || line("name", &spec.name, MAX_NAME))?,
            target: fields.when("url", || Target::parse(&spec.url, allow_private))?,
            events: fields.when("events", || EventKinds::parse(&spec.events))?,
            channels: fields.when("channel_ids", || ids("channelIds", channels, MAX_CHANNELS))?,
            ignored: fields.when("ignored_incoming_ids", || {
                ids("ignoreIncomingIds", ignored, MAX_IGNORED)
            })?,
            enabled: fields.when("enabled", || Ok(spec.enabled.unwrap_or(true)))?,
            encrypted: fields.when("encryption.enabled", || Ok(encryption.enabled))?,
            mode: fields.when("encryption.mode", || Ok(encryption.mode().into()))?,
            aes_key: aes_key.flatten(),
            api_key: fields.when("api_key", || api_key(spec.api_key))?,
            joins_on_bulk_import: fields
                .when("joins_on_bulk_import", || Ok(spec.joins_on_bulk_import))?,
        })
    }
}

fn line(field: &'static str, text: &str, max: usize) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::missing(field));
    }
    if text.chars().nth(max).is_some() {
        let description = format!("{field} must be at most {max} characters");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    if text.contains(char::is_control) {
        let description = format!("{field} must not contain control characters");
        return Err(Error::invalid(field, description));
    }
    Ok(text.to_owned())
}

fn ids<T>(field: &'static str, texts: &[String], max: usize) -> Result<Vec<T>>
where
    T: std::str::FromStr<Err = Error> + Ord,
{
    if texts.len() > max {
        let description = format!("{field} must be at most {max}");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    let malformed = |_| {
        let description = format!("{field} must be ids of 24 hexadecimal characters");
        Error::violation(Reason::MalformedId, field, description)
    };
    let mut ids = texts
        .iter()
        .map(|text| text.parse().map_err(malformed))
        .collect::<Result<Vec<T>>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn api_key(text: String) -> Result<Zeroizing<String>> {
    let text = Zeroizing::new(text);
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    // A header would lose the space around it.
    if !is_printable || text.len() > MAX_API_KEY || text.trim() != text.as_str() {
        let description =
            format!("apiKey must be at most {MAX_API_KEY} printable ASCII characters");
        return Err(Error::invalid("apiKey", description));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use guildhall_proto::webhooks::v1::EncryptionSpec;

    use super::*;

    fn spec() -> OutgoingWebhookSpec {
        OutgoingWebhookSpec {
            name: "CRM".into(),
            url: "https://crm.example/hook".into(),
            events: vec![3],
            ..OutgoingWebhookSpec::default()
        }
    }

    fn field_of(spec: OutgoingWebhookSpec) -> String {
        let refused = Change::parse(Some(spec), &Fields::all(), false).unwrap_err();
        refused.violations()[0].field.clone()
    }

    #[test]
    fn a_new_webhook_has_a_name_a_url_and_events() {
        let change = Change::parse(Some(spec()), &Fields::all(), false).unwrap();
        assert_eq!(change.enabled, Some(true), "unless it says otherwise");
        assert_eq!(change.encrypted, Some(false));
        assert_eq!(field_of(OutgoingWebhookSpec::default()), "name");
        assert_eq!(
            field_of(OutgoingWebhookSpec {
                url: String::new(),
                ..spec()
            }),
            "url"
        );
        assert_eq!(
            field_of(OutgoingWebhookSpec {
                events: vec![],
                ..spec()
            }),
            "events"
        );
        let channel_ids = vec!["x".into()];
        assert_eq!(
            field_of(OutgoingWebhookSpec {
                channel_ids,
                ..spec()
            }),
            "channelIds"
        );
        let api_key = "käse".into();
        assert_eq!(
            field_of(OutgoingWebhookSpec { api_key, ..spec() }),
            "apiKey"
        );
        let encryption = Some(EncryptionSpec {
            key: "short".into(),
            ..EncryptionSpec::default()
        });
        assert_eq!(
            field_of(OutgoingWebhookSpec {
                encryption,
                ..spec()
            }),
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
            Fields::of(Some(FieldMask {
                paths: paths.iter().map(|path| (*path).into()).collect(),
            }))
        };
        let change = Change::parse(Some(spec()), &mask(&["url"]).unwrap(), false).unwrap();
        assert!(change.target.is_some() && change.name.is_none() && change.enabled.is_none());
        let fields = mask(&["encryption"]).unwrap();
        let change = Change::parse(Some(spec()), &fields, false).unwrap();
        assert!(change.encrypted == Some(false) && change.mode.is_some());
        let nothing = Change::parse(None, &Fields::of(None).unwrap(), false).unwrap();
        assert!(nothing.name.is_none());
        for wrong in ["id", "encrypt", "encryption.iv", ""] {
            assert!(mask(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
