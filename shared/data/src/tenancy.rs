//! No row is read, changed or removed without its community.
//!
//! `EntityTrait::find`, `update_many`, `delete_many` and their kin are refused by clippy
//! (`clippy.toml`): [`Tenant`] is the way to a query, and asks for the community. What has an id of
//! its own in the community is a [`Resource`], with the reads and writes of one row.

use std::future::Future;

use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, DeleteMany, EntityTrait,
    IntoActiveModel, Order, QueryFilter, QuerySelect, Select, UpdateMany, Value,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{CommunityId, Page, PageRequest, failed};

/// An entity whose rows belong to communities.
pub trait Tenant: EntityTrait {
    /// The column of the community; it leads the primary key.
    const COMMUNITY: Self::Column;

    /// What is said about a second row with the same key.
    const TAKEN: &'static str = "It exists already";

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
            inserted.map(drop).map_err(refused::<Self>)
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
            match update.await.map_err(refused::<Self>)?.rows_affected {
                0 => Err(Error::bug("the row to update is not there")),
                _ => Ok(()),
            }
        }
    }
}

/// Why a row could not be written.
fn refused<E: Tenant>(error: DbErr) -> Error {
    let error = failed(error);
    match error.reason() == Reason::AlreadyExists {
        true => Error::new(Reason::AlreadyExists, E::TAKEN),
        false => error,
    }
}

/// An entity whose rows have an id in their community. [`resource!`](crate::resource) declares it.
pub trait Resource: Tenant {
    /// What names a row.
    type Id: Into<Value> + Serialize + DeserializeOwned + Copy + Send + Sync;

    /// The column of the id.
    const ID: Self::Column;

    /// The reason and the message for a row that is not there, or is of another community.
    const NOT_FOUND: (Reason, &'static str);

    /// The id of a row.
    fn id(row: &Self::Model) -> Self::Id;

    /// The error for a row that is not there, or is of another community.
    #[must_use]
    fn not_found() -> Error {
        let (reason, message) = Self::NOT_FOUND;
        Error::new(reason, message)
    }

    /// A page of a community's rows, oldest first: ids begin with the moment.
    ///
    /// # Errors
    /// When the query fails.
    fn list(
        connection: &impl ConnectionTrait,
        community: CommunityId,
        page: &PageRequest<Self::Id>,
    ) -> impl Future<Output = Result<Page<Self::Model>>> + Send {
        let query = page.select(Self::within(community), &[Self::ID], &Order::Asc);
        async move {
            let rows = query.all(connection).await.map_err(failed)?;
            Ok(page.cut(rows, Self::id))
        }
    }

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

/// Declares that the entity beside it is a [`Resource`](crate::Resource) without relations, with the
/// columns `community_id` and `id`:
///
/// ```ignore
/// resource! {
///     id: WebhookId,
///     not_found: (Reason::WebhookNotFound, "Webhook not found."),
///     taken: "A webhook with this url exists already",
/// }
/// ```
///
/// `taken` is what is said about a second row with the same key, where there can be one.
#[macro_export]
macro_rules! resource {
    (id: $id:ty, not_found: $not_found:expr, $(taken: $taken:literal,)?) => {
        /// Its relations: none, rows are joined by hand.
        #[derive(Copy, Clone, Debug, sea_orm::EnumIter, sea_orm::DeriveRelation)]
        pub enum Relation {}

        impl sea_orm::ActiveModelBehavior for ActiveModel {}

        impl $crate::Tenant for Entity {
            const COMMUNITY: Column = Column::CommunityId;
            $(const TAKEN: &'static str = $taken;)?
        }

        impl $crate::Resource for Entity {
            type Id = $id;
            const ID: Column = Column::Id;
            const NOT_FOUND: (guildhall_runtime::Reason, &'static str) = $not_found;

            fn id(row: &Model) -> $id {
                row.id
            }
        }
    };
}
