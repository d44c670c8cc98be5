//! Topics of forum channels.

use guildhall_data::{ChannelId, CommunityId, Page, PageRequest, Tenant, TopicId, UserId, failed};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{ConnectionTrait, IntoActiveModel, Order, entity::prelude::*};

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

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// The topic with this id.
///
/// # Errors
/// When the query fails.
pub async fn find(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: TopicId,
) -> Result<Option<Model>> {
    Entity::within(community)
        .filter(Column::Id.eq(id))
        .one(connection)
        .await
        .map_err(failed)
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

/// Inserts a topic.
///
/// # Errors
/// ALREADY_EXISTS when an open topic of the channel has the title: roll back.
pub async fn insert(transaction: &impl ConnectionTrait, topic: &Model) -> Result<()> {
    let inserted = Entity::insert(topic.clone().into_active_model())
        .exec_without_returning(transaction)
        .await
        .map_err(failed);
    match inserted {
        Err(error) if error.reason() == Reason::AlreadyExists => Err(Error::new(
            Reason::AlreadyExists,
            "An open topic with this title exists already",
        )),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}
