//! Messages and replies.

use guildhall_data::{ChannelId, CommunityId, MessageId, Tenant, TopicId, UserId, failed};
use guildhall_runtime::Result;
use sea_orm::{
    ConnectionTrait, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, entity::prelude::*,
};

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
    /// Its integer id, which rises with time.
    pub number: i64,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its position in the channel, from 1 without gaps.
    pub seq: i64,
    /// Who wrote it; none for administrative messages.
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
    /// When it was stored, in milliseconds; never earlier than a message with a lower number.
    pub created_at: i64,
    /// Whether it may have reactions, set by the database itself: for other messages none are looked
    /// up.
    pub reacted: bool,
}

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// All rows of a query. Columns are read by index: looking each up by name in each row took most of
/// the time of a page.
///
/// # Errors
/// When the query fails.
pub async fn all(connection: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Model>> {
    let statement = query.build(connection.get_database_backend());
    let rows = connection.query_all_raw(statement).await.map_err(failed)?;
    let rows: Result<_, DbErr> = rows.iter().map(Model::from_row).collect();
    rows.map_err(failed)
}

impl Model {
    /// The columns in the order in which the entity names them.
    fn from_row(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            community_id: row.try_get_by_index(0)?,
            id: row.try_get_by_index(1)?,
            number: row.try_get_by_index(2)?,
            channel_id: row.try_get_by_index(3)?,
            seq: row.try_get_by_index(4)?,
            user_id: row.try_get_by_index(5)?,
            topic_id: row.try_get_by_index(6)?,
            parent_id: row.try_get_by_index(7)?,
            parent_number: row.try_get_by_index(8)?,
            kind: row.try_get_by_index(9)?,
            text: row.try_get_by_index(10)?,
            details: row.try_get_by_index(11)?,
            direct: row.try_get_by_index(12)?,
            encrypted: row.try_get_by_index(13)?,
            reply_count: row.try_get_by_index(14)?,
            last_reply_at: row.try_get_by_index(15)?,
            created_at: row.try_get_by_index(16)?,
            reacted: row.try_get_by_index(17)?,
        })
    }
}

/// The message with this id.
///
/// # Errors
/// When the query fails.
pub async fn find(
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
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    ids: Vec<MessageId>,
) -> Result<Vec<Model>> {
    all(
        connection,
        Entity::within(community).filter(Column::Id.is_in(ids)),
    )
    .await
}

/// The message with this integer id.
///
/// # Errors
/// When the query fails.
pub async fn find_by_number(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    number: i64,
) -> Result<Option<Model>> {
    Entity::within(community)
        // Both values, so that the index by number is used.
        .filter(Column::Direct.is_in([false, true]))
        .filter(Column::Number.eq(number))
        .one(connection)
        .await
        .map_err(failed)
}

/// How many of the first messages hold no more than `bytes`; one at least, if there is any.
#[must_use]
pub fn that_fit(messages: &[Model], bytes: usize) -> usize {
    let mut held = 0;
    let fitting = messages.iter().take_while(|message| {
        held += message.text.len() + message.details.as_ref().map_or(0, Vec::len);
        held <= bytes
    });
    fitting.count().max(1)
}

/// The messages of a channel after `seq`, in order.
///
/// # Errors
/// When the query fails.
pub async fn list_after(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    channel: ChannelId,
    seq: i64,
    limit: u64,
) -> Result<Vec<Model>> {
    let rows = Entity::within(community)
        .filter(Column::ChannelId.eq(channel))
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(limit);
    all(connection, rows).await
}
