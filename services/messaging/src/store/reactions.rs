//! Reactions, and their counts per message and emoji.

use std::collections::HashMap;

use guildhall_data::{CommunityId, MessageId, Tenant, Transaction, UserId, failed};
use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{
    ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Query, UnionType},
};

use super::messages;
use crate::domain::{Emoji, access::message_not_found};

/// Different emojis on one message (contract: messaging, "React Message").
pub const MAX_EMOJIS: usize = 20;
/// Members who are named for one emoji, at most.
pub const MAX_USERS: u64 = 100;

/// A member's reaction.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reactions")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// The message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: MessageId,
    /// The emoji.
    #[sea_orm(primary_key, auto_increment = false)]
    pub emoji: String,
    /// The member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// When they reacted, in milliseconds.
    pub created_at: i64,
}

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// Reactions counted per message and emoji, so that nothing is counted by scanning.
pub mod counts {
    use super::*;

    /// The number of members who reacted to a message with one emoji.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reaction_counts")]
    pub struct Model {
        /// The community.
        #[sea_orm(primary_key, auto_increment = false)]
        pub community_id: CommunityId,
        /// The message.
        #[sea_orm(primary_key, auto_increment = false)]
        pub message_id: MessageId,
        /// The emoji.
        #[sea_orm(primary_key, auto_increment = false)]
        pub emoji: String,
        /// The number of members, at least 1.
        pub count: i64,
        /// Rises in the order in which emojis were first used.
        pub position: i64,
        /// When the emoji was last added, in milliseconds.
        pub updated_at: i64,
    }

    /// No relations: queries join by themselves.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl Tenant for Entity {
        const COMMUNITY: Column = Column::CommunityId;
    }
}

/// One reaction of one member to one message.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// The community.
    pub community: CommunityId,
    /// The message.
    pub message: MessageId,
    /// The emoji.
    pub emoji: Emoji,
    /// The member.
    pub user: UserId,
}

/// Adds a reaction; the time of it, or none when it existed.
///
/// # Errors
/// TOO_MANY_REACTIONS for more different emojis than a message may have: roll back.
pub async fn insert(transaction: &Transaction, reaction: &Reaction) -> Result<Option<Timestamp>> {
    hold_message(transaction, reaction).await?;
    let now = Timestamp::now();
    let counts = list_counts(transaction, reaction.community, [reaction.message]).await?;
    let same = counts.iter().find(|row| reaction.emoji.is(&row.emoji));
    if same.is_none() && counts.len() >= MAX_EMOJIS {
        return Err(Error::violation(
            Reason::TooManyReactions,
            "emoji",
            format!("A message takes at most {MAX_EMOJIS} different emojis"),
        ));
    }
    let key = same.map_or(reaction.emoji.as_str(), |row| &row.emoji);
    let inserted = Entity::insert(reaction_row(reaction, key, now).into_active_model())
        .on_conflict_do_nothing()
        .exec_without_returning(transaction)
        .await
        .map_err(failed)?;
    if !matches!(inserted, sea_orm::TryInsertResult::Inserted(1)) {
        return Ok(None);
    }
    match same {
        Some(row) => change_count(transaction, row, 1, now.as_millis()).await?,
        None => {
            let position = counts.last().map_or(1, |last| last.position + 1);
            let row = first_count(reaction, position, now).into_active_model();
            counts::Entity::insert(row)
                .exec_without_returning(transaction)
                .await
                .map_err(failed)?;
        }
    }
    Ok(Some(now))
}

/// Removes a reaction; whether it existed. An older replica may have stored its emoji under another
/// key.
///
/// # Errors
/// When a statement fails: roll back.
pub async fn remove(transaction: &Transaction, reaction: &Reaction) -> Result<bool> {
    hold_message(transaction, reaction).await?;
    let counts = list_counts(transaction, reaction.community, [reaction.message]).await?;
    let mut removed = false;
    for row in counts.iter().filter(|row| reaction.emoji.is(&row.emoji)) {
        removed |= remove_counted(transaction, reaction, row).await?;
    }
    Ok(removed)
}

/// Removes a reaction that `row` counts, if it does.
async fn remove_counted(
    transaction: &Transaction,
    reaction: &Reaction,
    row: &counts::Model,
) -> Result<bool> {
    let removed = Entity::removing(reaction.community)
        .filter(Column::MessageId.eq(reaction.message))
        .filter(Column::Emoji.eq(&row.emoji))
        .filter(Column::UserId.eq(reaction.user))
        .exec(transaction)
        .await
        .map_err(failed)?;
    match (removed.rows_affected, row.count) {
        (0, _) => return Ok(false),
        (_, 2..) => change_count(transaction, row, -1, row.updated_at).await?,
        (_, _) => remove_count(transaction, row).await?,
    }
    Ok(true)
}

/// Locks the message, so that concurrent reactions cannot exceed the limit.
async fn hold_message(transaction: &Transaction, reaction: &Reaction) -> Result<()> {
    let message: Option<MessageId> = messages::Entity::within(reaction.community)
        .select_only()
        .column(messages::Column::Id)
        .filter(messages::Column::Id.eq(reaction.message))
        .lock_exclusive()
        .into_tuple()
        .one(transaction)
        .await
        .map_err(failed)?;
    message.map(|_| ()).ok_or_else(message_not_found)
}

fn reaction_row(reaction: &Reaction, key: &str, now: Timestamp) -> Model {
    Model {
        community_id: reaction.community,
        message_id: reaction.message,
        emoji: key.to_owned(),
        user_id: reaction.user,
        created_at: now.as_millis(),
    }
}

fn first_count(reaction: &Reaction, position: i64, now: Timestamp) -> counts::Model {
    counts::Model {
        community_id: reaction.community,
        message_id: reaction.message,
        emoji: reaction.emoji.to_string(),
        count: 1,
        position,
        updated_at: now.as_millis(),
    }
}

async fn remove_count(transaction: &Transaction, row: &counts::Model) -> Result<()> {
    let removed = counts::Entity::removing(row.community_id)
        .filter(counts::Column::MessageId.eq(row.message_id))
        .filter(counts::Column::Emoji.eq(&row.emoji))
        .exec(transaction)
        .await;
    removed.map(drop).map_err(failed)
}

async fn change_count(
    transaction: &Transaction,
    row: &counts::Model,
    change: i64,
    updated_at: i64,
) -> Result<()> {
    let mut changed = row.clone().into_active_model();
    changed.count = sea_orm::ActiveValue::Set(row.count + change);
    changed.updated_at = sea_orm::ActiveValue::Set(updated_at);
    counts::Entity::update_columns(transaction, changed).await
}

/// The emojis of each message of a page, in the order of their first use: one query, and none when
/// there are no reactions.
///
/// # Errors
/// When the query fails.
pub async fn list_counts_of_page(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    page: &[messages::Model],
) -> Result<HashMap<MessageId, Vec<counts::Model>>> {
    let reacted = page.iter().filter(|row| row.reacted).map(|row| row.id);
    let reacted: Vec<_> = reacted.collect();
    let mut counts: HashMap<_, Vec<_>> = HashMap::new();
    if reacted.is_empty() {
        return Ok(counts);
    }
    for count in list_counts(connection, community, reacted).await? {
        counts.entry(count.message_id).or_default().push(count);
    }
    Ok(counts)
}

/// The emojis of each message, in the order of their first use.
async fn list_counts(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    messages: impl IntoIterator<Item = MessageId>,
) -> Result<Vec<counts::Model>> {
    let mut rows = counts::Entity::within(community)
        .filter(counts::Column::MessageId.is_in(messages))
        .all(connection)
        .await
        .map_err(failed)?;
    rows.sort_by_key(|row| row.position);
    Ok(rows)
}

/// The reactions of a message, in the order of their emojis' first use.
#[derive(Debug, Clone, Default)]
pub struct MessageReactions {
    counts: Vec<counts::Model>,
    users: HashMap<String, Vec<UserId>>,
}

impl MessageReactions {
    /// The counts alone.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn without_users(
        connection: &impl ConnectionTrait,
        community: CommunityId,
        message: MessageId,
    ) -> Result<Self> {
        let counts = list_counts(connection, community, [message]).await?;
        Ok(Self {
            counts,
            users: HashMap::new(),
        })
    }

    /// The reactions, with at most 100 members an emoji.
    ///
    /// # Errors
    /// When a query fails.
    pub async fn with_users(
        connection: &impl ConnectionTrait,
        community: CommunityId,
        message: MessageId,
    ) -> Result<Self> {
        let counts = list_counts(connection, community, [message]).await?;
        let users = list_users(connection, community, message, &counts).await?;
        Ok(Self { counts, users })
    }

    /// The reactions after a change: counted anew, and with `user` among the members of `emoji`
    /// or not. Members who reacted concurrently are counted but not named.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn after(
        self,
        transaction: &Transaction,
        reaction: &Reaction,
        added: bool,
    ) -> Result<Self> {
        let counts = list_counts(transaction, reaction.community, [reaction.message]).await?;
        let mut users = self.users;
        let counted = counts.iter().find(|row| reaction.emoji.is(&row.emoji));
        let key = counted.map_or(reaction.emoji.as_str(), |row| &row.emoji);
        let members = users.entry(key.to_owned()).or_default();
        let index = members.iter().position(|user| *user == reaction.user);
        match index {
            Some(index) if !added => {
                members.remove(index);
            }
            None if added && (members.len() as u64) < MAX_USERS => members.push(reaction.user),
            Some(_) | None => {}
        }
        Ok(Self { counts, users })
    }

    /// All members who are named, some perhaps more than once.
    pub fn user_ids(&self) -> impl Iterator<Item = UserId> {
        self.users.values().flatten().copied()
    }
}

impl IntoIterator for MessageReactions {
    type Item = (counts::Model, Vec<UserId>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    /// Each emoji with the members who are named for it, in the order of their reactions.
    fn into_iter(mut self) -> Self::IntoIter {
        let users = |count: counts::Model| {
            let users = self.users.remove(&count.emoji).unwrap_or_default();
            (count, users)
        };
        self.counts
            .into_iter()
            .map(users)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The members who reacted with each of the emojis.
async fn list_users(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    message: MessageId,
    counts: &[counts::Model],
) -> Result<HashMap<String, Vec<UserId>>> {
    let mut queries = counts.iter().map(|count| {
        let first = Entity::within(community)
            .select_only()
            .columns([Column::Emoji, Column::UserId, Column::CreatedAt])
            .filter(Column::MessageId.eq(message))
            .filter(Column::Emoji.eq(&count.emoji))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::UserId)
            .limit(MAX_USERS)
            .into_query();
        // A member of a UNION is limited only inside a sub-query.
        Query::select()
            .columns(["emoji", "user_id", "created_at"])
            .from_subquery(first, "first")
            .to_owned()
    });
    let Some(mut all) = queries.next() else {
        return Ok(HashMap::new());
    };
    all.unions(queries.map(|query| (UnionType::All, query)));
    let mut rows = Vec::new();
    for row in connection.query_all(&all).await.map_err(failed)? {
        let row: (String, UserId, i64) = row.try_get_many_by_index().map_err(failed)?;
        rows.push(row);
    }
    // A UNION promises no order.
    rows.sort_by_key(|(_, user, created_at)| (*created_at, *user));
    let mut users: HashMap<String, Vec<UserId>> = HashMap::new();
    for (emoji, user, _) in rows {
        users.entry(emoji).or_default().push(user);
    }
    Ok(users)
}
