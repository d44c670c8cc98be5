//! Channels.

use std::collections::{HashMap, HashSet};

use guildhall_data::{ChannelId, CommunityId, Page, PageRequest, Tenant, UserId, failed};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{
    ColumnTrait, ConnectionTrait, IntoActiveModel, Order, QuerySelect, entity::prelude::*,
};

use super::members::{self, Part};
use crate::domain::{Channel, ChannelKind};

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "channels")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The channel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ChannelId,
    /// The name shown.
    pub topic: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// What it is for.
    pub description: String,
    /// Who created it.
    pub creator_id: UserId,
    /// The small numeric id of its creator.
    pub creator_number: i64,
    /// Whether only announcers and admins may write for now.
    pub frozen: bool,
    /// Its free-form address in the Sendbird facade.
    pub url: Option<String>,
    /// The `seq` of its last message.
    pub last_seq: i64,
    /// When it was created, in milliseconds.
    pub created_at: i64,
    /// When it was last changed, in milliseconds.
    pub updated_at: i64,
}

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// A channel with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The channel.
    pub channel: Model,
    /// Who takes part in it (direct messages).
    pub participants: Vec<UserId>,
    /// Who may write in it (announcements).
    pub announcers: Vec<UserId>,
}

impl From<Record> for Channel {
    fn from(record: Record) -> Self {
        Self {
            community: record.channel.community_id,
            id: record.channel.id,
            topic: record.channel.topic,
            kind: record.channel.kind,
            url: record.channel.url,
            participants: record.participants.into_iter().collect(),
            announcers: record.announcers.into_iter().collect(),
            frozen: record.channel.frozen,
        }
    }
}

/// A page of a list of channels, the oldest first: when a channel was created, in milliseconds, and
/// its id.
pub type ByAge = PageRequest<(i64, ChannelId)>;

/// Which direct-message channels a list contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direct {
    /// None.
    None,
    /// Those in which the user takes part.
    Of(UserId),
    /// All.
    All,
}

/// Which channels a list contains.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Only this kind.
    pub kind: Option<ChannelKind>,
    /// Which direct-message channels.
    pub direct: Direct,
    /// Only these channels.
    pub only: Option<&'a HashSet<ChannelId>>,
}

/// The channel with this id, with its members.
///
/// # Errors
/// When a query fails.
pub async fn find(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: ChannelId,
) -> Result<Option<Record>> {
    let query = Entity::within(community).filter(Column::Id.eq(id));
    let rows = query.all(connection).await.map_err(failed)?;
    Ok(with_members(connection, community, rows).await?.pop())
}

/// The id of the channel with this url.
///
/// # Errors
/// When the query fails.
pub async fn find_id_by_url(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    url: &str,
) -> Result<Option<ChannelId>> {
    Entity::within(community)
        .select_only()
        .column(Column::Id)
        .filter(Column::Url.eq(url))
        .into_tuple()
        .one(connection)
        .await
        .map_err(failed)
}

/// The `seq` of the last message of a channel.
///
/// # Errors
/// When the query fails.
pub async fn last_seq(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    id: ChannelId,
) -> Result<i64> {
    let last = Entity::within(community)
        .select_only()
        .column(Column::LastSeq)
        .filter(Column::Id.eq(id))
        .into_tuple()
        .one(connection)
        .await
        .map_err(failed)?;
    Ok(last.unwrap_or(0))
}

/// The names of channels.
///
/// # Errors
/// When the query fails.
pub async fn names(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    ids: impl IntoIterator<Item = ChannelId>,
) -> Result<HashMap<ChannelId, String>> {
    let names: Vec<(ChannelId, String)> = Entity::within(community)
        .select_only()
        .columns([Column::Id, Column::Topic])
        .filter(Column::Id.is_in(ids))
        .into_tuple()
        .all(connection)
        .await
        .map_err(failed)?;
    Ok(names.into_iter().collect())
}

/// A page of the channels of the scope, the oldest first.
///
/// # Errors
/// When a query fails.
pub async fn list(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    scope: Scope<'_>,
    page: &ByAge,
) -> Result<Page<Record>> {
    let wanted = |kind| scope.kind.is_none_or(|only| only == kind);
    let mut rows = Vec::new();
    // The index is ordered within each kind: the first rows of all kinds, merged, are the first rows
    // of the list.
    for kind in ChannelKind::SHARED.into_iter().filter(|kind| wanted(*kind)) {
        rows.extend(of_kind(connection, community, kind, scope.only, page).await?);
    }
    match scope.direct {
        Direct::All if wanted(ChannelKind::Dm) => {
            let kind = ChannelKind::Dm;
            rows.extend(of_kind(connection, community, kind, scope.only, page).await?);
        }
        Direct::Of(user) if wanted(ChannelKind::Dm) => {
            let ids =
                members::list_channels_of(connection, community, user, scope.only, page).await?;
            let query = Entity::within(community).filter(Column::Id.is_in(ids));
            rows.extend(query.all(connection).await.map_err(failed)?);
        }
        Direct::None | Direct::Of(_) | Direct::All => {}
    }
    rows.sort_by_key(|row| (row.created_at, row.id));
    let page = page.cut(rows, |row| (row.created_at, row.id));
    Ok(Page {
        rows: with_members(connection, community, page.rows).await?,
        next_page_token: page.next_page_token,
    })
}

async fn of_kind(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    kind: ChannelKind,
    only: Option<&HashSet<ChannelId>>,
    page: &ByAge,
) -> Result<Vec<Model>> {
    let mut query = Entity::within(community).filter(Column::Kind.eq(kind));
    if let Some(only) = only {
        query = query.filter(Column::Id.is_in(only.iter().copied()));
    }
    let query = page.select(query, &[Column::CreatedAt, Column::Id], &Order::Asc);
    query.all(connection).await.map_err(failed)
}

async fn with_members(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    channels: Vec<Model>,
) -> Result<Vec<Record>> {
    let ids = channels.iter().map(|channel| channel.id);
    let mut members: HashMap<_, Vec<_>> = HashMap::new();
    for member in members::list_of_channels(connection, community, ids).await? {
        members
            .entry((member.channel_id, member.part == Part::Announcer))
            .or_default()
            .push(member.user_id);
    }
    let record = |channel: Model| Record {
        participants: members.remove(&(channel.id, false)).unwrap_or_default(),
        announcers: members.remove(&(channel.id, true)).unwrap_or_default(),
        channel,
    };
    Ok(channels.into_iter().map(record).collect())
}

/// Inserts a channel and its members.
///
/// # Errors
/// ALREADY_EXISTS when its url is taken: roll back.
pub async fn insert(transaction: &impl ConnectionTrait, record: &Record) -> Result<()> {
    let channel = record.channel.clone();
    let member = |part, user: &UserId| members::Model {
        community_id: channel.community_id,
        channel_id: channel.id,
        part,
        user_id: *user,
        channel_created_at: channel.created_at,
    };
    let participants = record
        .participants
        .iter()
        .map(|user| member(Part::Participant, user));
    let announcers = record
        .announcers
        .iter()
        .map(|user| member(Part::Announcer, user));
    let members: Vec<_> = participants.chain(announcers).collect();
    Entity::insert(channel.into_active_model())
        .exec_without_returning(transaction)
        .await
        .map_err(url_taken)?;
    members::Entity::insert_many(members.into_iter().map(members::Model::into_active_model))
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

fn url_taken(error: DbErr) -> Error {
    let error = failed(error);
    if error.reason() == Reason::AlreadyExists {
        return Error::new(
            Reason::AlreadyExists,
            "A channel with this url exists already",
        );
    }
    error
}
