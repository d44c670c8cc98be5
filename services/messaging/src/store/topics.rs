//! Topics of forum channels.

use guildhall_data::{
    ChannelId, CommunityId, Page, PageRequest, Tenant as _, TopicId, UserId, failed, resource,
};
use guildhall_runtime::{Reason, Result};
use sea_orm::{ConnectionTrait, Order, entity::prelude::*};

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "topics")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The topic.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TopicId,
    /// Its forum channel.
    pub channel_id: ChannelId,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Who opened it.
    pub creator_id: UserId,
    /// Whether it takes no more messages.
    pub closed: bool,
    /// Whether it stays on top.
    pub pinned: bool,
    /// When it was opened, in milliseconds.
    pub created_at: i64,
}

resource! {
    id: TopicId,
    not_found: (Reason::TopicNotFound, "Forum topic not found"),
    taken: "An open topic with this title exists already",
}

/// A page of the topics of a channel, newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    channel: ChannelId,
    page: &PageRequest<(i64, TopicId)>,
) -> Result<Page<Model>> {
    let topics = Entity::within(community).filter(Column::ChannelId.eq(channel));
    let query = page.select(topics, &[Column::CreatedAt, Column::Id], &Order::Desc);
    let rows = query.all(connection).await.map_err(failed)?;
    Ok(page.cut(rows, |topic| (topic.created_at, topic.id)))
}
