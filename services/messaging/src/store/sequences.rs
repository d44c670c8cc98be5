//! The numbers of messages, which rise with time.

use guildhall_data::failed;
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, entity::prelude::*};

/// The row of the sequence of messages, which a migration inserts.
const MESSAGES: &str = "messages";

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sequences")]
pub struct Model {
    /// What it numbers.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The last number taken.
    pub last_number: i64,
    /// The time of the last number, in milliseconds.
    pub last_moment: i64,
}

/// No relations: queries join by themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Numbers that a transaction has reserved. It locks the sequence until it ends, so numbers become
/// visible in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The first of them.
    pub first: i64,
    /// Their time, in milliseconds: never earlier than that of a lower number, even when the clock
    /// steps back.
    pub moment: i64,
}

/// Locks the sequence until the transaction ends, after waiting for the lock.
///
/// # Errors
/// UNREACHABLE when that takes too long.
#[expect(clippy::disallowed_methods, reason = "a sequence has no community")]
pub async fn hold(transaction: &impl ConnectionTrait) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastNumber, Expr::col(Column::LastNumber))
        .filter(Column::Name.eq(MESSAGES))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
