//! No row is read, changed or removed without its community.
//!
//! `EntityTrait::find`, `update_many`, `delete_many` and their kin are refused by clippy
//! (`clippy.toml`): [`Tenant`] is the way to a query, and asks for the community. What has an id of
//! its own in the community is a [`Resource`], with the reads and writes of one row.

use std::future::Future;

use guildhall_runtime::{Error, Result};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DeleteMany, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Select, UpdateMany, Value,
};

use crate::{CommunityId, failed};

/// An entity whose rows belong to communities.
pub trait Tenant: EntityTrait {
    /// The column of the community; it leads the primary key.
    const COMMUNITY: Self::Column;

    /// All rows of one community: the beginning of every query.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "adds the community")]
    fn within(community: CommunityId) -> Select<Self> {
        Self::find().filter(Self::COMMUNITY.eq(community))
    }

    /// Changes rows of one community: the beginning of every update.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "adds the community")]
    fn changing(community: CommunityId) -> UpdateMany<Self> {
        Self::update_many().filter(Self::COMMUNITY.eq(community))
    }

    /// Removes rows of one community: the beginning of every delete.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "adds the community")]
    fn removing(community: CommunityId) -> DeleteMany<Self> {
        Self::delete_many().filter(Self::COMMUNITY.eq(community))
    }

    /// Inserts a row.
    ///
    /// # Errors
    /// ALREADY_EXISTS for a second row with the same key: roll back.
    fn insert_one(
        transaction: &impl ConnectionTrait,
        row: &Self::Model,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self::Model: IntoActiveModel<Self::ActiveModel>,
        Self::ActiveModel: Send,
    {
        let insert = Self::insert(row.clone().into_active_model());
        async move {
            let inserted = insert.exec_without_returning(transaction).await;
            inserted.map(drop).map_err(failed)
        }
    }

    /// Stores all columns of a row that is there. Its key says of which community it is.
    ///
    /// # Errors
    /// INTERNAL when the row is not there; ALREADY_EXISTS for a key of another row: roll back.
    fn update_one(
        transaction: &impl ConnectionTrait,
        row: &Self::Model,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self::Model: IntoActiveModel<Self::ActiveModel>,
        Self::ActiveModel: Send,
    {
        Self::update_columns(transaction, row.clone().into_active_model().reset_all())
    }

    /// Stores those columns of a row that are set.
    ///
    /// # Errors
    /// As [`update_one`](Self::update_one).
    #[expect(clippy::disallowed_methods, reason = "the key holds the community")]
    fn update_columns(
        transaction: &impl ConnectionTrait,
        row: Self::ActiveModel,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self::ActiveModel: Send,
    {
        async move {
            let update = Self::update(row).exec_without_returning(transaction);
            match update.await.map_err(failed)?.rows_affected {
                0 => Err(Error::bug("the row to update is not there")),
                _ => Ok(()),
            }
        }
    }
}

/// An entity whose rows have an id in their community.
pub trait Resource: Tenant {
    /// What names a row.
    type Id: Into<Value> + Copy + Send;

    /// The column of the id.
    const ID: Self::Column;

    /// The error for a row that is not there, or is of another community.
    fn not_found() -> Error;

    /// The query for one row.
    #[must_use]
    fn one(community: CommunityId, id: Self::Id) -> Select<Self> {
        Self::within(community).filter(Self::ID.eq(id))
    }

    /// The row with this id, if there is one.
    ///
    /// # Errors
    /// When the query fails.
    fn find_one(
        connection: &impl ConnectionTrait,
        community: CommunityId,
        id: Self::Id,
    ) -> impl Future<Output = Result<Option<Self::Model>>> + Send {
        let query = Self::one(community, id);
        async move { query.one(connection).await.map_err(failed) }
    }

    /// The row with this id.
    ///
    /// # Errors
    /// Its [`not_found`](Self::not_found).
    fn get(
        connection: &impl ConnectionTrait,
        community: CommunityId,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self::Model>> + Send {
        let query = Self::one(community, id);
        async move {
            let found = query.one(connection).await.map_err(failed)?;
            found.ok_or_else(Self::not_found)
        }
    }

    /// The row with this id, locked until the transaction ends, so that changes follow each other.
    ///
    /// # Errors
    /// Its [`not_found`](Self::not_found).
    fn hold(
        transaction: &impl ConnectionTrait,
        community: CommunityId,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self::Model>> + Send {
        let query = Self::one(community, id).lock_exclusive();
        async move {
            let found = query.one(transaction).await.map_err(failed)?;
            found.ok_or_else(Self::not_found)
        }
    }

    /// Removes the row with this id.
    ///
    /// # Errors
    /// Its [`not_found`](Self::not_found), also when somebody was faster.
    fn remove_one(
        transaction: &impl ConnectionTrait,
        community: CommunityId,
        id: Self::Id,
    ) -> impl Future<Output = Result<()>> + Send {
        let removal = Self::removing(community).filter(Self::ID.eq(id));
        async move {
            match removal
                .exec(transaction)
                .await
                .map_err(failed)?
                .rows_affected
            {
                0 => Err(Self::not_found()),
                _ => Ok(()),
            }
        }
    }
}
