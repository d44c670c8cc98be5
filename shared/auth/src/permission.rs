//! What a key may do, under the names of the public contract (contract: identity, "Permission names").

use guildhall_proto::access::v1::Permission;
use guildhall_runtime::{Error, Result};

/// Machine names, and the aliases that stand for them.
const NAMES: &[(&str, Permission)] = &[
    ("sendMessage", Permission::SendMessage),
    ("replyMessage", Permission::ReplyMessage),
    ("getMessages", Permission::GetMessages),
    ("getChannels", Permission::GetChannels),
    ("manageChannels", Permission::ManageChannels),
    ("manageMessages", Permission::ManageMessages),
    ("createUser", Permission::CreateUser),
    ("manageUser", Permission::ManageUser),
    ("getUserData", Permission::GetUserData),
    ("getUserStats", Permission::GetUserStats),
    ("bulkUpdateUser", Permission::BulkUpdateUser),
    ("userFields", Permission::UserFields),
    ("appearance", Permission::Appearance),
    ("store", Permission::Store),
    ("purchase-history", Permission::PurchaseHistory),
    ("leaderboard", Permission::Leaderboard),
    ("badges", Permission::Badges),
    ("gamification", Permission::Gamification),
    ("streaks", Permission::Streaks),
    ("miniGames", Permission::MiniGames),
    ("redemptions", Permission::Redemptions),
    ("chartAnalysis", Permission::ChartAnalysis),
    ("analytics", Permission::Analytics),
    ("webhooks", Permission::Webhooks),
    ("widgets", Permission::Widgets),
    ("readOwnProfile", Permission::ReadOwnProfile),
    ("updateOwnProfile", Permission::UpdateOwnProfile),
    ("readOwnMessages", Permission::ReadOwnMessages),
    // Aliases, accepted and returned as sent.
    ("sendMessages", Permission::SendMessage),
    ("replyMessages", Permission::ReplyMessage),
    ("readMessages", Permission::GetMessages),
    ("readChannels", Permission::GetChannels),
    ("uploadImage", Permission::SendMessage),
    ("badge", Permission::Badges),
    ("streak", Permission::Streaks),
    ("mini-game", Permission::MiniGames),
    ("redemption", Permission::Redemptions),
    ("analysis", Permission::ChartAnalysis),
    ("purchaseHistory", Permission::PurchaseHistory),
];

/// Permissions that a user key may carry.
const ON_USER_KEYS: &[Permission] = &[
    Permission::SendMessage,
    Permission::ReplyMessage,
    Permission::GetMessages,
    Permission::GetChannels,
    Permission::ReadOwnProfile,
    Permission::UpdateOwnProfile,
    Permission::ReadOwnMessages,
];

/// The permission of a name or alias.
///
/// # Errors
/// INVALID_VALUE for any other name.
pub fn parse(name: &str) -> Result<Permission> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, permission)| *permission)
        .ok_or_else(|| Error::invalid("permissions", format!("{name:?} is not a permission")))
}

/// Whether a user key may carry it.
#[must_use]
pub fn is_for_user_keys(permission: Permission) -> bool {
    ON_USER_KEYS.contains(&permission)
}

/// The machine name.
#[must_use]
pub fn name(permission: Permission) -> &'static str {
    NAMES
        .iter()
        .find(|(_, known)| *known == permission)
        .map_or("-", |(name, _)| name)
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// Whether it holds `permission`.
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |set, permission| set | bit(permission)),
        )
    }
}

fn bit(permission: Permission) -> u64 {
    1 << (permission as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_mean_the_same_and_nothing_else_is_a_name() {
        assert_eq!(
            parse("sendMessages").unwrap(),
            parse("sendMessage").unwrap()
        );
        assert!(parse("SendMessage").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: Permissions = [Permission::Store, Permission::ReadOwnMessages]
            .into_iter()
            .collect();
        assert!(set.contains(Permission::Store));
        assert!(!set.contains(Permission::SendMessage));
    }
}
