//! What a user may do, and whether they take part.

use guildhall_auth::Role as AccessRole;
use guildhall_runtime::{Error, Result};
use sea_orm::{DeriveActiveEnum, EnumIter};

/// The role of a user in their community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Role {
    /// Takes part.
    #[sea_orm(num_value = 1)]
    Member,
    /// Administers the community.
    #[sea_orm(num_value = 2)]
    Admin,
    /// Owns the community; each has one.
    #[sea_orm(num_value = 3)]
    Owner,
}

impl Role {
    /// The role of a user who is added to a community that has its owner.
    ///
    /// # Errors
    /// INVALID_VALUE for any but member and admin.
    pub(crate) fn of_new_member(role: AccessRole) -> Result<Self> {
        match role {
            AccessRole::Member => Ok(Self::Member),
            AccessRole::Admin => Ok(Self::Admin),
            AccessRole::Owner | AccessRole::Unspecified => {
                Err(Error::invalid("role", "role must be member or admin"))
            }
        }
    }
}

impl From<Role> for AccessRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

/// Whether a user takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Status {
    /// Takes part.
    #[sea_orm(num_value = 1)]
    Active,
    /// May not act for now.
    #[sea_orm(num_value = 2)]
    Suspended,
    /// Kept for what they wrote; found by id alone.
    #[sea_orm(num_value = 3)]
    Deleted,
}
