//! What an incoming webhook is, and what its callers may do (contract: events, part 2).

mod call;
mod change;

use guildhall_data::ChannelId;
use guildhall_proto::webhooks::v1::{IncomingKind, IncomingSettings};
use guildhall_runtime::{Error, Reason, Result};
use guildhall_types::{FieldMask, mask, proto_enum};
use sea_orm::{DeriveActiveEnum, EnumIter};

pub use call::{Call, CurrencyUpdate, NewMessage, Operation, UserFieldsUpdate};
pub use change::{Change, SettingsChange, populated};

/// Entries of a list at most.
const MAX_LISTED: usize = 100;

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

proto_enum!(Kind as IncomingKind { SendMessage, UpdateUserFields, UpdateCurrency });

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
    /// Reads settings as they were stored.
    ///
    /// # Errors
    /// What is wrong with which of them: the row was damaged.
    pub fn parse(settings: &IncomingSettings) -> Result<Self> {
        let mut read = Self::default();
        let all = FieldMask::all();
        read.change(all.read(|fields| SettingsChange::parse(settings, fields))?);
        Ok(read)
    }

    /// Changes what a change names.
    pub fn change(&mut self, change: SettingsChange) {
        mask::set(&mut self.channel, change.channel);
        mask::set(&mut self.allowed_channels, change.allowed_channels);
        mask::set(&mut self.sender, change.sender);
        mask::set(&mut self.allowed_fields, change.allowed_fields);
        mask::set(&mut self.allowed_currencies, change.allowed_currencies);
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
    ///
    /// # Errors
    /// MISSING_FIELD.
    pub fn check_for(&self, kind: Kind) -> Result<()> {
        match kind {
            Kind::SendMessage if self.channel.is_none() => {
                Err(Error::missing("settings.channel_id"))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_need_a_channel_and_no_sender() {
        let missing = |settings: &Settings| {
            let refused = settings.check_for(Kind::SendMessage).unwrap_err();
            (refused.reason(), refused.violations()[0].field.clone())
        };
        let mut settings = Settings::default();
        let channel = (Reason::MissingField, "settings.channel_id".to_owned());
        assert_eq!(missing(&settings), channel);
        settings.channel = Some(ChannelId::generate());
        assert!(settings.check_for(Kind::SendMessage).is_ok());
        assert!(Settings::default().check_for(Kind::UpdateCurrency).is_ok());
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
