//! What an outgoing webhook may be (contract: events, "Management").

use aws_lc_rs::digest::{SHA256, digest};
use guildhall_data::{ChannelId, WebhookId};
use guildhall_proto::webhooks::v1::OutgoingWebhookSpec;
use guildhall_runtime::{Error, Result};
use guildhall_types::{Fields, list, text};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{
    EncryptionChange, EventKinds, MAX_NAME, encryption,
    public_net::{is_public, is_public_name},
};

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
        let refused = |description: &str| Error::invalid("url", description);
        let url = Url::parse(&text).map_err(|_| refused("url must be a URL"))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_private => {}
            _ => return Err(refused("url must begin with https://")),
        }
        // The parser is lenient: it finds a host in `https:a.example` and in `https:///a.example`.
        let authority = authority_of(&text, url.scheme());
        let authority =
            authority.ok_or_else(|| refused("url must begin with https:// and a host"))?;
        if authority.contains('@') {
            return Err(refused("url must not hold a user name or password"));
        }
        if !allow_private && !is_public_host(&url) {
            return Err(refused("url must be one of the public internet"));
        }
        Ok(Self { text, url })
    }

    /// What two webhooks must not have in common: the same url and events.
    #[must_use]
    pub fn fingerprint(&self, events: EventKinds) -> Vec<u8> {
        fingerprint(&self.url, events)
    }
}

/// What stands between the slashes and the path of a url; none without two slashes and a host.
fn authority_of<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = text.get(scheme.len()..)?.strip_prefix("://")?;
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    (!authority.trim_matches('.').is_empty()).then_some(authority)
}

/// The hash of url and events. What a receiver does not see is left out of the url: the fragment, and
/// the dot at the end of the host.
#[must_use]
pub fn fingerprint(url: &Url, events: EventKinds) -> Vec<u8> {
    let mut url = url.clone();
    url.set_fragment(None);
    let host = url.host_str().and_then(|host| host.strip_suffix('.'));
    if let Some(host) = host.map(str::to_owned) {
        // A host that stays one without its dot.
        let _ = url.set_host(Some(&host));
    }
    let text = format!("{} {url}", events.bits());
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

/// Whether a url may be one of the public internet, as far as it says itself.
#[must_use]
pub fn is_public_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(name)) => is_public_name(name),
        None => false,
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

/// The fields of a spec that hold something.
#[must_use]
pub fn populated(spec: &Option<OutgoingWebhookSpec>) -> Vec<&'static str> {
    let Some(spec) = spec else {
        return Vec::new();
    };
    let fields = [
        ("name", !spec.name.is_empty()),
        ("url", !spec.url.is_empty()),
        ("events", !spec.events.is_empty()),
        ("channel_ids", !spec.channel_ids.is_empty()),
        (
            "ignored_incoming_ids",
            !spec.ignored_incoming_ids.is_empty(),
        ),
        ("enabled", spec.enabled.is_some()),
        ("api_key", !spec.api_key.is_empty()),
        ("joins_on_bulk_import", spec.joins_on_bulk_import),
    ];
    let own = fields
        .into_iter()
        .filter_map(|(field, holds)| holds.then_some(field));
    own.chain(encryption::populated(spec.encryption.as_ref()))
        .collect()
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
        assert_eq!(field_of(|spec| spec.events.push(99)), "events[1]");
        assert_eq!(
            field_of(|spec| spec.channel_ids = vec!["x".into()]),
            "channel_ids[0]"
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
            ("https://a.example@", false, false),
            ("https://@a.example/", false, false),
            ("https://@a.example", false, false),
            ("https://:@a.example", false, false),
            ("https:a.example", false, false),
            ("https:/a.example", false, false),
            ("https:///a.example", false, false),
            ("https:\\\\a.example", false, false),
            ("https://./", false, false),
            ("https://?a.example", false, false),
            ("http:127.0.0.1", false, false),
            ("HTTPS://a.example/p@th?q=@#@", true, true),
            ("https://localhost/", false, true),
            ("https://LOCALHOST.", false, true),
            ("https://a.localhost", false, true),
            ("https://printer.local", false, true),
            ("https://db.internal./", false, true),
            ("https://internal", false, true),
            ("https://localhost.example", true, true),
            ("https://notlocal.example", true, true),
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
        assert_eq!(of("https://a.example"), of("https://a.example.#b"));
        assert_eq!(
            of("https://a.example/?q"),
            of("https://A.example.:443/?q#b")
        );
        assert_ne!(of("https://a.example"), of("https://a.example/b"));
        assert_ne!(of("https://a.example"), of("https://a.example:444"));
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
