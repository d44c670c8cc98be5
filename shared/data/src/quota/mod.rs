//! How many of a thing a community may have: a bound that holds however many are made at once.
//!
//! Whoever makes one locks the row of the quota, and counts what is there. Nothing has to be given
//! back when one is removed, and what is counted are the things themselves.

pub mod migration;

use std::future::Future;

use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, IntoActiveModel, entity::prelude::*, sea_query::OnConflict,
};

use crate::{CommunityId, Resource, Tenant, failed, page};

/// The row that those who make things of one kind lock one after the other.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quotas")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// What is counted, by its number in the service.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: i16,
    /// How many there were when the last was made.
    pub used: i32,
}

/// None: rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// A resource of which a community may have so many.
pub trait Limited: Resource {
    /// How many.
    const QUOTA: Quota;

    /// How many a community has.
    ///
    /// # Errors
    /// When the query fails.
    fn count(
        connection: &impl ConnectionTrait,
        community: CommunityId,
    ) -> impl Future<Output = Result<i32>> + Send {
        async move {
            let present = Self::within(community);
            Self::QUOTA.count(connection, present).await
        }
    }

    /// Inserts a row of a community, if it may have one more.
    ///
    /// # Errors
    /// The quota's reason when there are as many as there may be; ALREADY_EXISTS for a second row
    /// with the same key: roll back.
    fn insert_one_more(
        transaction: &impl ConnectionTrait,
        community: CommunityId,
        row: &Self::Model,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self::Model: IntoActiveModel<Self::ActiveModel> + Sync,
        Self::ActiveModel: Send,
    {
        async move {
            let present = Self::within(community);
            Self::QUOTA.admit(transaction, community, present).await?;
            Self::insert_one(transaction, row).await
        }
    }
}

/// A bound for one kind of thing.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Its number in the service, for ever.
    pub resource: i16,
    /// How many there may be.
    pub max: u32,
    /// What they are called in the plural.
    pub name: &'static str,
    /// The reason that is given when there are as many.
    pub reason: Reason,
}

impl Quota {
    /// Lets one more in, which is inserted next in the same transaction. `present` are those that
    /// are there; at most as many as there may be are counted.
    ///
    /// # Errors
    /// The quota's reason when there are as many as there may be: roll back.
    pub async fn admit<E: Tenant>(
        &self,
        transaction: &impl ConnectionTrait,
        community: CommunityId,
        present: Select<E>,
    ) -> Result<()> {
        self.lock(transaction, community).await?;
        // A statement of its own: what committed while this one waited for the lock is counted.
        let count = page::count(transaction, present, E::COMMUNITY, self.max.into());
        if count.await? >= u64::from(self.max) {
            let message = format!(
                "There are {} {} already, delete one first",
                self.max, self.name
            );
            return Err(Error::new(self.reason, message));
        }
        Ok(())
    }

    /// How many of `present` there are; no more than there may be are counted.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn count<E: Tenant>(
        &self,
        connection: &impl ConnectionTrait,
        present: Select<E>,
    ) -> Result<i32> {
        let counted = page::count(connection, present, E::COMMUNITY, self.max.into()).await?;
        Ok(i32::try_from(counted).unwrap_or(i32::MAX))
    }

    /// Locks the row of the quota until the transaction ends, and makes it when it is not there.
    async fn lock(&self, transaction: &impl ConnectionTrait, community: CommunityId) -> Result<()> {
        let row = ActiveModel {
            community_id: Set(community),
            resource: Set(self.resource),
            used: Set(0),
        };
        let lock = OnConflict::columns([Column::CommunityId, Column::Resource])
            .value(Column::Used, Expr::col((Entity, Column::Used)))
            .to_owned();
        let locked = Entity::insert(row).on_conflict(lock);
        let locked = locked.exec_without_returning(transaction).await;
        locked.map(drop).map_err(failed)
    }
}
