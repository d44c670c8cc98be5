//! The numbers of messages, which rise with time.

use guildhall_data::failed;
use guildhall_runtime::{Error, Result, Timestamp};
use sea_orm::{ConnectionTrait, ExprTrait, entity::prelude::*};

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

/// Numbers that a transaction has reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// The first of them.
    pub first: i64,
    /// The moment to which they belong, in milliseconds: never before that of a lower number,
    /// even when a clock jumps back.
    pub moment: i64,
}

/// Reserves `count` numbers. Holds the sequence until the transaction ends, so numbers become
/// visible in their order.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn reserve(transaction: &impl ConnectionTrait, count: i64) -> Result<Reserved> {
    let now = Timestamp::now().as_millis();
    let later = Expr::case(Expr::col(Column::LastMoment).lt(now), now)
        .finally(Expr::col(Column::LastMoment));
    let rows = Entity::update_many()
        .col_expr(Column::LastNumber, Expr::col(Column::LastNumber).add(count))
        .col_expr(Column::LastMoment, later.into())
        .filter(Column::Name.eq(MESSAGES))
        .exec_with_returning(transaction)
        .await
        .map_err(failed)?;
    let row = rows
        .first()
        .ok_or_else(|| Error::bug("the sequence of messages is gone"))?;
    Ok(Reserved {
        first: row.last_number - count + 1,
        moment: row.last_moment,
    })
}

/// Waits until nobody holds the sequence, and holds it.
///
/// # Errors
/// UNREACHABLE when that takes too long.
pub async fn wait(transaction: &impl ConnectionTrait) -> Result<()> {
    reserve(transaction, 0).await.map(drop)
}
