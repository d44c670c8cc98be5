//! What an incoming webhook is, and what its callers may do (contract: events, part 2).

mod call;
mod change;

use guildhall_data::ChannelId;
use guildhall_proto::webhooks::v1::{
    EncryptionMode, EncryptionSpec, IncomingKind, IncomingSettings, IncomingWebhookSpec,
};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{DeriveActiveEnum, EnumIter};

pub use call::{Call, CurrencyUpdate, NewMessage, Operation, UserFieldsUpdate};
pub use change::change;

use super::{AesKey, Mode, text};

/// The longest reference to a user: an e-mail address has at most 320 characters.
const MAX_REFERENCE: usize = 320;
/// Channels or fields of the settings at most.
const MAX_LISTED: usize = 100;
/// The longest name of a user field, in characters.
const MAX_FIELD: usize = 100;

/// What an incoming webhook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Kind {
    /// Sends messages into channels.
    #[sea_orm(num_value = 1)]
    SendMessage,
    /// Sets fields of users.
    #[sea_orm(num_value = 2)]
    UpdateUserFields,
    /// Changes balances of users.
    #[sea_orm(num_value = 3)]
    UpdateCurrency,
}

impl Kind {
    /// Reads the kind of a request; none when it names none.
    #[must_use]
    pub fn from_proto(kind: IncomingKind) -> Option<Self> {
        match kind {
            IncomingKind::Unspecified => None,
            IncomingKind::SendMessage => Some(Self::SendMessage),
            IncomingKind::UpdateUserFields => Some(Self::UpdateUserFields),
            IncomingKind::UpdateCurrency => Some(Self::UpdateCurrency),
        }
    }

    /// The kind in answers.
    #[must_use]
    pub fn to_proto(self) -> IncomingKind {
        match self {
            Self::SendMessage => IncomingKind::SendMessage,
            Self::UpdateUserFields => IncomingKind::UpdateUserFields,
            Self::UpdateCurrency => IncomingKind::UpdateCurrency,
        }
    }
}

/// What members earn and spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Currency {
    /// `coins`
    Coins,
    /// `xp`
    Xp,
    /// `premium`
    Premium,
}

impl Currency {
    /// Its name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Coins => "coins",
            Self::Xp => "xp",
            Self::Premium => "premium",
        }
    }

    /// The currency that `name` means, which stands in `field`.
    ///
    /// # Errors
    /// INVALID_VALUE for any other name.
    pub fn parse(field: &'static str, name: &str) -> Result<Self> {
        let all = [Self::Coins, Self::Xp, Self::Premium];
        let found = all.into_iter().find(|currency| currency.name() == name);
        found.ok_or_else(|| Error::invalid(field, format!("{field} must be coins, xp or premium")))
    }
}

/// What callers may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The channel that messages go to.
    pub channel: Option<ChannelId>,
    /// The channels that a call may name instead.
    pub allowed_channels: Vec<ChannelId>,
    /// The author of messages, unless a call names one; may be empty.
    pub sender: String,
    /// The user fields that calls may set.
    pub allowed_fields: Vec<String>,
    /// The currencies that calls may change.
    pub allowed_currencies: Vec<Currency>,
}

impl Settings {
    /// Reads settings, in a request or as they were stored.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn parse(settings: IncomingSettings) -> Result<Self> {
        let channel = Some(settings.channel_id).filter(|id| !id.is_empty());
        check_count(
            "settings.allowed_channel_ids",
            &settings.allowed_channel_ids,
        )?;
        check_count("settings.allowed_fields", &settings.allowed_fields)?;
        check_count("settings.allowed_currencies", &settings.allowed_currencies)?;
        Ok(Self {
            channel: channel
                .map(|id| channel_id("settings.channel_id", &id))
                .transpose()?,
            allowed_channels: settings
                .allowed_channel_ids
                .iter()
                .map(|id| channel_id("settings.allowed_channel_ids", id))
                .collect::<Result<_>>()?,
            sender: text::optional("settings.sender", settings.sender.trim(), MAX_REFERENCE)?,
            allowed_fields: settings
                .allowed_fields
                .iter()
                .map(|name| text::optional("settings.allowed_fields", name, MAX_FIELD))
                .collect::<Result<_>>()?,
            allowed_currencies: settings
                .allowed_currencies
                .iter()
                .map(|name| Currency::parse("settings.allowed_currencies", name))
                .collect::<Result<_>>()?,
        })
    }

    /// As answers show them, and as they are stored.
    #[must_use]
    pub fn to_proto(&self) -> IncomingSettings {
        let text = ChannelId::to_string;
        let currencies = self.allowed_currencies.iter();
        IncomingSettings {
            channel_id: self.channel.as_ref().map(text).unwrap_or_default(),
            allowed_channel_ids: self.allowed_channels.iter().map(text).collect(),
            sender: self.sender.clone(),
            allowed_fields: self.allowed_fields.clone(),
            allowed_currencies: currencies
                .map(|currency| currency.name().to_owned())
                .collect(),
        }
    }

    /// What a kind cannot do without.
    fn check_for(&self, kind: Kind) -> Result<()> {
        match kind {
            Kind::SendMessage if self.channel.is_none() => {
                Err(Error::missing("settings.channel_id"))
            }
            Kind::SendMessage if self.sender.is_empty() => Err(Error::missing("settings.sender")),
            Kind::SendMessage | Kind::UpdateUserFields | Kind::UpdateCurrency => Ok(()),
        }
    }

    /// The channel that a message goes to, when its call names `wanted`.
    ///
    /// # Errors
    /// CHANNEL_NOT_ALLOWED when it is none of theirs.
    pub fn channel_for(&self, wanted: Option<ChannelId>) -> Result<ChannelId> {
        let allowed =
            |id: &ChannelId| self.channel == Some(*id) || self.allowed_channels.contains(id);
        match wanted {
            Some(wanted) if allowed(&wanted) => Ok(wanted),
            Some(_) => Err(Error::new(
                Reason::ChannelNotAllowed,
                "The webhook may not send into this channel",
            )),
            None => self.channel.ok_or_else(|| Error::missing("channelId")),
        }
    }
}

fn check_count(field: &'static str, listed: &[String]) -> Result<()> {
    if listed.len() > MAX_LISTED {
        let description = format!("{field} must be at most {MAX_LISTED}");
        return Err(Error::violation(Reason::ValueTooLong, field, description));
    }
    Ok(())
}

fn channel_id(field: &'static str, id: &str) -> Result<ChannelId> {
    id.parse().map_err(|_| {
        let description = format!("{field} must be 24 hexadecimal characters");
        Error::violation(Reason::MalformedId, field, description)
    })
}

/// How bodies shall be encrypted.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// Whether they shall be.
    pub enabled: bool,
    /// How.
    pub mode: Mode,
    /// The key, when a new one is given.
    pub key: Option<AesKey>,
}

impl Encryption {
    fn parse(spec: EncryptionSpec) -> Result<Self> {
        let key = Some(&spec.key).filter(|key| !key.is_empty());
        Ok(Self {
            enabled: spec.enabled,
            mode: EncryptionMode::try_from(spec.mode)
                .map_err(|_| {
                    Error::invalid("encryption.mode", "encryption.mode must be gcm or cbc")
                })?
                .into(),
            key: key.map(|key| AesKey::parse(key)).transpose()?,
        })
    }
}

/// What an incoming webhook shall be, checked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The name shown to admins.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// What its callers may do.
    pub settings: Settings,
    /// Whether callers must present its API key.
    pub api_key_enabled: bool,
    /// How bodies are encrypted.
    pub encryption: Encryption,
    /// Whether it is answered.
    pub enabled: bool,
}

impl Wanted {
    /// Checks what a webhook shall be; `has_key` says whether it has an AES key already.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn parse(spec: IncomingWebhookSpec, has_key: bool) -> Result<Self> {
        let kind = Kind::from_proto(spec.kind()).ok_or_else(|| Error::missing("kind"))?;
        let settings = Settings::parse(spec.settings.unwrap_or_default())?;
        settings.check_for(kind)?;
        let encryption = Encryption::parse(spec.encryption.unwrap_or_default())?;
        if encryption.enabled && encryption.key.is_none() && !has_key {
            return Err(Error::missing("encryption.key"));
        }
        Ok(Self {
            name: text::name(&spec.name)?,
            kind,
            settings,
            api_key_enabled: spec.api_key_enabled.unwrap_or(true),
            encryption,
            enabled: spec.enabled.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn refusal(change: impl FnOnce(&mut IncomingWebhookSpec)) -> (Reason, String) {
        let mut spec = spec();
        change(&mut spec);
        let error = Wanted::parse(spec, false).unwrap_err();
        (error.reason(), error.violations()[0].field.clone())
    }

    #[test]
    fn what_is_not_said_is_the_careful_choice() {
        let wanted = Wanted::parse(spec(), false).unwrap();
        assert!(wanted.api_key_enabled && wanted.enabled && !wanted.encryption.enabled);
        assert_eq!(wanted.encryption.mode, Mode::Gcm);
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
            refusal(|spec| spec.settings = None),
            missing("settings.channel_id")
        );
        assert_eq!(
            settings(|all| all.sender.clear()),
            missing("settings.sender")
        );
        assert_eq!(
            settings(|all| all.allowed_channel_ids = vec!["general".into()]),
            (Reason::MalformedId, "settings.allowed_channel_ids".into())
        );
        assert_eq!(
            settings(|all| all.allowed_currencies = vec!["gold".into()]),
            (Reason::InvalidValue, "settings.allowed_currencies".into())
        );
        assert_eq!(
            settings(|all| all.allowed_fields = vec![String::new(); MAX_LISTED + 1]),
            (Reason::ValueTooLong, "settings.allowed_fields".into())
        );
        let encrypted = |key: &str| {
            let key = key.to_owned();
            refusal(|spec| {
                spec.encryption = Some(EncryptionSpec {
                    enabled: true,
                    key,
                    mode: 0,
                });
            })
        };
        assert_eq!(encrypted(""), missing("encryption.key"));
        assert_eq!(
            encrypted("short"),
            (Reason::InvalidValue, "encryption.key".into())
        );
    }

    #[test]
    fn messages_go_where_the_settings_say_and_nowhere_else() {
        let [home, allowed, other] = std::array::from_fn(|_| ChannelId::generate());
        let settings = Settings {
            channel: Some(home),
            allowed_channels: vec![allowed],
            ..Settings::default()
        };
        assert_eq!(settings.channel_for(None).unwrap(), home);
        assert_eq!(settings.channel_for(Some(home)).unwrap(), home);
        assert_eq!(settings.channel_for(Some(allowed)).unwrap(), allowed);
        let refused = settings.channel_for(Some(other)).unwrap_err();
        assert_eq!(refused.reason(), Reason::ChannelNotAllowed);
    }
}
