//! No entity is queried without its community.
//!
//! `EntityTrait::find` and its kin are refused by clippy (`clippy.toml`): [`Tenant::within`] is
//! the way to a query, and asks for the community.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use crate::CommunityId;

/// An entity whose rows belong to communities.
pub trait Tenant: EntityTrait {
    /// The column of the community; it leads the primary key.
    const COMMUNITY: Self::Column;

    /// All rows of one community: the beginning of every query.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that adds the community"
    )]
    fn within(community: CommunityId) -> Select<Self> {
        Self::find().filter(Self::COMMUNITY.eq(community))
    }
}
