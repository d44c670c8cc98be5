//! The kinds of keys.

use guildhall_auth::CredentialKind;
use sea_orm::{DeriveActiveEnum, EnumIter};

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum KeyKind {
    /// The one key of a community that may do everything.
    #[sea_orm(num_value = 1)]
    System,
    /// Made by an admin, for the community.
    #[sea_orm(num_value = 2)]
    Community,
    /// Made by a member, acts as that member.
    #[sea_orm(num_value = 3)]
    User,
    /// A token of the Sendbird facade.
    #[sea_orm(num_value = 4)]
    Sendbird,
}

impl From<KeyKind> for CredentialKind {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::System => Self::SystemKey,
            KeyKind::Community => Self::CommunityKey,
            KeyKind::User => Self::UserKey,
            KeyKind::Sendbird => Self::SendbirdToken,
        }
    }
}
