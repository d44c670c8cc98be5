//! Who takes part in a direct-message channel, and who announces in an announcement channel.

use std::collections::HashSet;

use guildhall_data::{ChannelId, CommunityId, Tenant, UserId, failed};
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, Order, QuerySelect, entity::prelude::*};

use super::channels::ByAge;

/// The part of a member in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Part {
    /// Takes part in a direct-message channel.
    #[sea_orm(num_value = 1)]
    Participant,
    /// May write in an announcement channel.
    #[sea_orm(num_value = 2)]
    Announcer,
}

/// A member's part in a channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channel_members")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub channel_id: ChannelId,
    /// Their part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub part: Part,
    /// The member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// When the channel was created, in milliseconds: a member's channels are listed in this order.
    pub channel_created_at: i64,
}

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// The members of all the channels.
///
/// # Errors
/// When the query fails.
pub async fn list_of_channels(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    channels: impl IntoIterator<Item = ChannelId>,
) -> Result<Vec<Model>> {
    Entity::within(community)
        .filter(Column::ChannelId.is_in(channels))
        .all(connection)
        .await
        .map_err(failed)
}

/// The channels in which a user takes part, oldest first, after `after`.
///
/// # Errors
/// When the query fails.
pub async fn list_channels_of(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    user: UserId,
    only: Option<&HashSet<ChannelId>>,
    page: &ByAge,
) -> Result<Vec<ChannelId>> {
    let mut query = Entity::within(community)
        .select_only()
        .column(Column::ChannelId)
        .filter(Column::UserId.eq(user))
        .filter(Column::Part.eq(Part::Participant));
    if let Some(only) = only {
        query = query.filter(Column::ChannelId.is_in(only.iter().copied()));
    }
    let by_age = [Column::ChannelCreatedAt, Column::ChannelId];
    let page = page.select(query, &by_age, &Order::Asc).into_tuple();
    page.all(connection).await.map_err(failed)
}
