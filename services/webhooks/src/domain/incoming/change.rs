//! Changes of an incoming webhook, field by field.

use guildhall_data::ChannelId;
use guildhall_proto::webhooks::v1::{IncomingSettings, IncomingWebhookSpec};
use guildhall_runtime::Result;
use guildhall_types::{Fields, ProtoEnum as _, id, list, text};

use super::{Currency, Kind, MAX_LISTED};
use crate::domain::{EncryptionChange, MAX_NAME, encryption};

/// The longest reference to a user: an e-mail address has at most 320 characters.
const MAX_REFERENCE: usize = 320;
/// The longest name of a user field, in characters.
const MAX_FIELD: usize = 100;

/// What becomes of a webhook: the fields that change, checked.
#[derive(Debug)]
pub struct Change {
    /// The name shown to admins.
    pub name: Option<String>,
    /// What it does; fixed once it is made.
    pub kind: Option<Kind>,
    /// What its callers may do.
    pub settings: SettingsChange,
    /// Whether callers must present its API key.
    pub api_key_enabled: Option<bool>,
    /// How bodies are encrypted.
    pub encryption: EncryptionChange,
    /// Whether it is answered.
    pub enabled: Option<bool>,
}

/// What becomes of its settings.
#[derive(Debug)]
pub struct SettingsChange {
    /// The channel that messages go to; an inner none for no channel.
    pub channel: Option<Option<ChannelId>>,
    /// The channels that a call may name instead.
    pub allowed_channels: Option<Vec<ChannelId>>,
    /// The author of messages, unless a call names one; may be empty.
    pub sender: Option<String>,
    /// The user fields that calls may set.
    pub allowed_fields: Option<Vec<String>>,
    /// The currencies that calls may change.
    pub allowed_currencies: Option<Vec<Currency>>,
}

impl Change {
    /// Reads those fields of a spec that are meant.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, MALFORMED_ID, INVALID_VALUE. The AES key is not repeated.
    pub fn parse(spec: Option<IncomingWebhookSpec>, fields: &mut Fields) -> Result<Self> {
        let spec = spec.unwrap_or_default();
        let settings = spec.settings.clone().unwrap_or_default();
        Ok(Self {
            kind: fields.read("kind", |field| Kind::require(field, spec.kind))?,
            settings: SettingsChange::parse(&settings, fields)?,
            encryption: EncryptionChange::parse(spec.encryption, fields)?,
            name: fields.read("name", |field| text::line(field, &spec.name, MAX_NAME))?,
            api_key_enabled: fields.value("api_key_enabled", spec.api_key_enabled.unwrap_or(true)),
            enabled: fields.value("enabled", spec.enabled.unwrap_or(true)),
        })
    }
}

impl SettingsChange {
    /// Reads those fields of settings that are meant.
    ///
    /// # Errors
    /// VALUE_TOO_LONG, MALFORMED_ID, INVALID_VALUE.
    pub fn parse(settings: &IncomingSettings, fields: &mut Fields) -> Result<Self> {
        let (channels, sender) = (&settings.allowed_channel_ids, settings.sender.trim());
        let (names, currencies) = (&settings.allowed_fields, &settings.allowed_currencies);
        Ok(Self {
            channel: fields.read("settings.channel_id", |field| {
                channel(field, &settings.channel_id)
            })?,
            allowed_channels: fields.read("settings.allowed_channel_ids", |field| {
                list::ids(field, channels, MAX_LISTED)
            })?,
            sender: fields.read("settings.sender", |field| {
                text::optional(field, sender, MAX_REFERENCE)
            })?,
            allowed_fields: fields.read("settings.allowed_fields", |field| {
                list::each(field, names, MAX_LISTED, |name| {
                    text::optional(field, name, MAX_FIELD)
                })
            })?,
            allowed_currencies: fields.read("settings.allowed_currencies", |field| {
                list::each(field, currencies, MAX_LISTED, |name| {
                    Currency::parse(field, name)
                })
            })?,
        })
    }
}

/// The fields of a spec that hold something.
#[must_use]
pub fn populated(spec: &Option<IncomingWebhookSpec>) -> Vec<&'static str> {
    let Some(spec) = spec else {
        return Vec::new();
    };
    let unset = IncomingSettings::default();
    let settings = spec.settings.as_ref().unwrap_or(&unset);
    let fields = [
        ("name", !spec.name.is_empty()),
        ("kind", spec.kind != 0),
        ("settings.channel_id", !settings.channel_id.is_empty()),
        (
            "settings.allowed_channel_ids",
            !settings.allowed_channel_ids.is_empty(),
        ),
        ("settings.sender", !settings.sender.is_empty()),
        (
            "settings.allowed_fields",
            !settings.allowed_fields.is_empty(),
        ),
        (
            "settings.allowed_currencies",
            !settings.allowed_currencies.is_empty(),
        ),
        ("api_key_enabled", spec.api_key_enabled.is_some()),
        ("enabled", spec.enabled.is_some()),
    ];
    let own = fields
        .into_iter()
        .filter_map(|(field, holds)| holds.then_some(field));
    own.chain(encryption::populated(spec.encryption.as_ref()))
        .collect()
}

fn channel(field: &str, id: &str) -> Result<Option<ChannelId>> {
    let id = Some(id).filter(|id| !id.is_empty());
    id.map(|id| id::parse(field, id)).transpose()
}

#[cfg(test)]
mod tests {
    use guildhall_proto::webhooks::v1::{EncryptionSpec, IncomingKind};
    use guildhall_runtime::Reason;
    use guildhall_types::FieldMask;

    use super::*;
    use crate::domain::Mode;

    fn spec() -> IncomingWebhookSpec {
        IncomingWebhookSpec {
            name: "News".into(),
            kind: IncomingKind::SendMessage.into(),
            settings: Some(IncomingSettings {
                channel_id: "ca0000000000000000000001".into(),
                sender: "bot".into(),
                ..IncomingSettings::default()
            }),
            ..IncomingWebhookSpec::default()
        }
    }

    fn parse(spec: IncomingWebhookSpec, mask: FieldMask) -> Result<Change> {
        mask.read(|fields| Change::parse(Some(spec), fields))
    }

    fn refusal(change: impl FnOnce(&mut IncomingWebhookSpec)) -> (Reason, String) {
        let mut spec = spec();
        change(&mut spec);
        let error = parse(spec, FieldMask::all()).unwrap_err();
        (error.reason(), error.violations()[0].field.clone())
    }

    #[test]
    fn what_is_not_said_is_the_careful_choice() {
        let change = parse(spec(), FieldMask::all()).unwrap();
        assert_eq!(change.api_key_enabled, Some(true));
        assert_eq!(change.enabled, Some(true));
        assert_eq!(change.encryption.enabled, Some(false));
        assert_eq!(change.encryption.mode, Some(Mode::Gcm));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let settings = |change: fn(&mut IncomingSettings)| {
            refusal(|spec| change(spec.settings.as_mut().unwrap()))
        };
        let missing = |field: &str| (Reason::MissingField, field.to_owned());
        assert_eq!(refusal(|spec| spec.name.clear()), missing("name"));
        assert_eq!(refusal(|spec| spec.kind = 0), missing("kind"));
        assert_eq!(
            settings(|all| all.allowed_channel_ids = vec!["general".into()]),
            (
                Reason::MalformedId,
                "settings.allowed_channel_ids[0]".into()
            )
        );
        assert_eq!(
            settings(|all| all.allowed_currencies = vec!["xp".into(), "gold".into()]),
            (
                Reason::InvalidValue,
                "settings.allowed_currencies[1]".into()
            )
        );
        assert_eq!(
            settings(|all| {
                all.allowed_fields = vec!["a".into(), "b".into(), "x".repeat(MAX_FIELD + 1)];
            }),
            (Reason::ValueTooLong, "settings.allowed_fields[2]".into())
        );
        assert_eq!(
            settings(|all| all.allowed_fields = vec![String::new(); MAX_LISTED + 1]),
            (Reason::ValueTooLong, "settings.allowed_fields".into())
        );
        let short = EncryptionSpec {
            enabled: true,
            key: "short".into(),
            mode: 0,
        };
        assert_eq!(
            refusal(|spec| spec.encryption = Some(short)),
            (Reason::InvalidValue, "encryption.key".into())
        );
    }

    #[test]
    fn what_is_listed_twice_counts_once() {
        let twice = |one: &str, other: &str| [one, other, one].map(str::to_owned).to_vec();
        let channels = twice("ca0000000000000000000002", "ca0000000000000000000001");
        let settings = IncomingSettings {
            allowed_fields: twice("tier", "lots"),
            allowed_currencies: twice("xp", "coins"),
            allowed_channel_ids: channels.clone(),
            ..IncomingSettings::default()
        };
        let read = FieldMask::all().read(|fields| SettingsChange::parse(&settings, fields));
        let read = read.unwrap();
        assert_eq!(read.allowed_fields.unwrap(), ["tier", "lots"]);
        assert_eq!(
            read.allowed_currencies.unwrap(),
            [Currency::Xp, Currency::Coins]
        );
        let ids: Vec<_> = read.allowed_channels.unwrap();
        assert_eq!(
            ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            channels[..2]
        );
    }

    #[test]
    fn without_a_mask_what_a_spec_holds_is_meant() {
        let spec = Some(spec());
        let expected = ["name", "kind", "settings.channel_id", "settings.sender"];
        assert_eq!(populated(&spec), expected);
        assert!(populated(&None).is_empty());
    }

    #[test]
    fn only_what_is_named_changes() {
        let paths = ["settings.sender", "encryption.enabled"].map(str::to_owned);
        let mask = prost_types::FieldMask {
            paths: paths.to_vec(),
        };
        let change = parse(spec(), FieldMask::of(Some(mask))).unwrap();
        assert_eq!(change.settings.sender.as_deref(), Some("bot"));
        assert_eq!(change.encryption.enabled, Some(false));
        assert!(change.name.is_none() && change.kind.is_none() && change.enabled.is_none());
        assert!(change.settings.channel.is_none() && change.encryption.mode.is_none());
    }
}
