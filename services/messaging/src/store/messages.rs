//! Messages and replies.

use guildhall_data::{ChannelId, CommunityId, MessageId, Tenant, TopicId, UserId, failed};
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect, entity::prelude::*};

use crate::domain::MessageKind;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    /// Its integer id; rises with time.
    pub number: i64,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its place in the channel, from 1 without gaps.
    pub seq: i64,
    /// Who wrote it; none for the administration.
    pub user_id: Option<UserId>,
    /// Its topic in a forum channel.
    pub topic_id: Option<TopicId>,
    /// The message that it replies to.
    pub parent_id: Option<MessageId>,
    /// The integer id of that message.
    pub parent_number: Option<i64>,
    /// What it is.
    pub kind: MessageKind,
    /// The text as sent.
    pub text: String,
    /// Fields of the facades, an encoded `MessageDetails`.
    pub details: Option<Vec<u8>>,
    /// Whether its channel is a direct-message channel.
    pub direct: bool,
    /// Whether only its readers can decrypt it.
    pub encrypted: bool,
    /// Number of its replies.
    pub reply_count: i64,
    /// When the last reply was stored, in milliseconds.
    pub last_reply_at: Option<i64>,
    /// When it was stored, in milliseconds; never before that of a lower number.
    pub created_at: i64,
}

/// Its relations: none, rows are joined by hand.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// The message with this id.
///
/// # Errors
/// When the query fails.
pub async fn get(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: MessageId,
) -> Result<Option<Model>> {
    Entity::within(community)
        .filter(Column::Id.eq(id))
        .one(connection)
        .await
        .map_err(failed)
}

/// Those of the messages that are stored.
///
/// # Errors
/// When the query fails.
pub async fn get_all(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    ids: Vec<MessageId>,
) -> Result<Vec<Model>> {
    Entity::within(community)
        .filter(Column::Id.is_in(ids))
        .all(connection)
        .await
        .map_err(failed)
}

/// The message with this integer id.
///
/// # Errors
/// When the query fails.
pub async fn get_by_number(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    number: i64,
) -> Result<Option<Model>> {
    Entity::within(community)
        // Both values, so that the index by number serves.
        .filter(Column::Direct.is_in([false, true]))
        .filter(Column::Number.eq(number))
        .one(connection)
        .await
        .map_err(failed)
}

/// The messages of a channel that follow `seq`, in their order.
///
/// # Errors
/// When the query fails.
pub async fn following(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    channel: ChannelId,
    seq: i64,
    limit: u64,
) -> Result<Vec<Model>> {
    Entity::within(community)
        .filter(Column::ChannelId.eq(channel))
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(connection)
        .await
        .map_err(failed)
}
