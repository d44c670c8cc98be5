//! The settings of a new key (contract: identity, section 7 and "Permission names").

use std::time::Duration;

use guildhall_auth::{Permission, permission};
use guildhall_data::ChannelId;
use guildhall_proto::identity::v1::ApiKeySpec;
use guildhall_runtime::{Error, Result, Timestamp};
use guildhall_types::{list, text::line};

const MAX_NAME: usize = 100;
const MAX_PERMISSIONS: usize = 50;
const MAX_CHANNELS: usize = 100;
/// The longest lifetime, in days: a hundred years.
const MAX_PERIOD: i32 = 36_500;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The settings of a new key, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeySpec {
    pub(crate) name: String,
    /// Names as given, including aliases.
    pub(crate) permissions: Vec<String>,
    /// The only channels; empty for no limit.
    pub(crate) channels: Vec<ChannelId>,
    /// In days; 0 for no expiry.
    pub(crate) expire_period_days: i32,
    pub(crate) expires_at: Option<Timestamp>,
}

impl KeySpec {
    /// A key with no settings but its name.
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A key of a community.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE.
    pub(crate) fn for_community(spec: Option<ApiKeySpec>, now: Timestamp) -> Result<Self> {
        let spec = spec.ok_or_else(|| Error::missing("spec"))?;
        if !spec.channel_ids.is_empty() {
            let description = "only user keys can be limited to channels";
            return Err(Error::invalid("channel_ids", description));
        }
        Self::check(spec, now, is_for_community_keys)
    }

    /// A key of a user.
    ///
    /// # Errors
    /// MISSING_FIELD, VALUE_TOO_LONG, INVALID_VALUE, MALFORMED_ID.
    pub(crate) fn for_user(spec: Option<ApiKeySpec>, now: Timestamp) -> Result<Self> {
        let spec = spec.ok_or_else(|| Error::missing("spec"))?;
        Self::check(spec, now, permission::is_for_user_keys)
    }

    fn check(spec: ApiKeySpec, now: Timestamp, allowed: fn(Permission) -> bool) -> Result<Self> {
        Ok(Self {
            name: line("name", &spec.name, MAX_NAME)?,
            permissions: permissions(spec.permissions, allowed)?,
            channels: list::ids("channel_ids", &spec.channel_ids, MAX_CHANNELS)?,
            expire_period_days: period(spec.expire_period_days)?,
            expires_at: expiry(spec.expire_time, spec.expire_period_days, now)?,
        })
    }
}

/// Every permission that a community key can carry.
pub(crate) fn all_for_community_keys() -> Vec<String> {
    all()
        .filter(|p| is_for_community_keys(*p))
        .map(|p| permission::name(p).to_owned())
        .collect()
}

/// The numbers of permissions have no gaps; 0 is unspecified.
fn all() -> impl Iterator<Item = Permission> {
    (1..).map_while(|number| Permission::try_from(number).ok())
}

/// All but the three `…Own…` permissions, which need an owner.
fn is_for_community_keys(permission: Permission) -> bool {
    ![
        Permission::ReadOwnProfile,
        Permission::UpdateOwnProfile,
        Permission::ReadOwnMessages,
    ]
    .contains(&permission)
}

fn permissions(names: Vec<String>, allowed: fn(Permission) -> bool) -> Result<Vec<String>> {
    if names.is_empty() {
        return Err(Error::missing("permissions"));
    }
    list::at_most("permissions", &names, MAX_PERMISSIONS)?;
    for name in &names {
        if !allowed(permission::parse(name)?) {
            let description = format!("{name:?} is not for this kind of key");
            return Err(Error::invalid("permissions", description));
        }
    }
    Ok(names)
}

fn period(days: i32) -> Result<i32> {
    if (0..=MAX_PERIOD).contains(&days) {
        return Ok(days);
    }
    let description = format!("expire_period_days must be 0 (never) to {MAX_PERIOD}");
    Err(Error::invalid("expire_period_days", description))
}

/// A given time takes precedence over a given period.
fn expiry(
    time: Option<prost_types::Timestamp>,
    days: i32,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    match (time.map(Timestamp::from), period(days)?) {
        (Some(time), _) if time <= now => Err(Error::invalid(
            "expire_time",
            "expire_time must be in the future",
        )),
        (Some(time), _) => Ok(Some(time)),
        (None, 0) => Ok(None),
        (None, days) => Ok(Some(now.plus(DAY * days.unsigned_abs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_323_045_678;

    fn spec(permissions: &[&str]) -> ApiKeySpec {
        ApiKeySpec {
            name: "Slack".into(),
            permissions: permissions.iter().map(|&name| name.into()).collect(),
            ..ApiKeySpec::default()
        }
    }

    fn community(spec: ApiKeySpec) -> Result<KeySpec> {
        KeySpec::for_community(Some(spec), Timestamp::from_millis(NOW))
    }

    fn user(spec: ApiKeySpec) -> Result<KeySpec> {
        KeySpec::for_user(Some(spec), Timestamp::from_millis(NOW))
    }

    #[test]
    fn each_kind_of_key_has_its_permissions_and_aliases_stay_as_sent() {
        assert_eq!(
            user(spec(&["sendMessages"])).unwrap().permissions,
            ["sendMessages"]
        );
        assert!(user(spec(&["readOwnProfile"])).is_ok());
        assert!(user(spec(&["createUser"])).is_err());
        assert!(community(spec(&["createUser", "sendMessage"])).is_ok());
        assert!(community(spec(&["readOwnProfile"])).is_err());
        assert!(community(spec(&["everything"])).is_err());
        assert!(community(spec(&[])).is_err());
        assert!(community(spec(&["store"; 51])).is_err());
        assert!(
            community(spec(
                &all_for_community_keys()
                    .iter()
                    .map(|s| &**s)
                    .collect::<Vec<_>>()
            ))
            .is_ok()
        );
        assert_eq!(all_for_community_keys().len(), 25);
    }

    #[test]
    fn a_time_takes_precedence_over_a_period_and_is_in_the_future() {
        let at = |millis| Some(prost_types::Timestamp::from(Timestamp::from_millis(millis)));
        let with = |days, time| {
            user(ApiKeySpec {
                expire_period_days: days,
                expire_time: time,
                ..spec(&["sendMessage"])
            })
            .map(|spec| spec.expires_at.map(Timestamp::as_millis))
        };
        assert_eq!(with(0, None).unwrap(), None);
        assert_eq!(with(2, None).unwrap(), Some(NOW + 2 * 86_400_000));
        assert_eq!(with(2, at(NOW + 1)).unwrap(), Some(NOW + 1));
        assert!(with(2, at(NOW)).is_err());
        assert!(with(-1, None).is_err());
        assert!(with(36_501, None).is_err());
    }

    #[test]
    fn only_user_keys_are_limited_to_channels() {
        let limited = |ids: Vec<String>| ApiKeySpec {
            channel_ids: ids,
            ..spec(&["sendMessage"])
        };
        let id = ChannelId::generate();
        assert_eq!(user(limited(vec![id.to_string()])).unwrap().channels, [id]);
        assert!(user(limited(vec!["general".into()])).is_err());
        assert!(user(limited(vec![id.to_string(); 101])).is_err());
        assert!(community(limited(vec![id.to_string()])).is_err());
    }
}
