//! The numbers of messages, which rise with time.

use guildhall_data::failed;
use guildhall_runtime::Result;
use sea_orm::{ConnectionTrait, entity::prelude::*};

/// The row of the messages' sequence, which a migration made.
const MESSAGES: &str = "messages";

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sequences")]
pub struct Model {
    /// What it numbers.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The last number given.
    pub last_number: i64,
    /// When it was given, in milliseconds.
    pub last_moment: i64,
}

/// Its relations: none, rows are joined by hand.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Numbers that a transaction has reserved. It holds the sequence until it ends, so numbers become
/// visible in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The first of them.
    pub first: i64,
    /// The moment to which they belong, in milliseconds: never before that of a lower number,
    /// even when a clock jumps back.
    pub moment: i64,
}

/// Waits until nobody holds the sequence, and holds it until the transaction ends.
///
/// # Errors
/// UNREACHABLE when that takes too long.
pub async fn wait(transaction: &impl ConnectionTrait) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastNumber, Expr::col(Column::LastNumber))
        .filter(Column::Name.eq(MESSAGES))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
