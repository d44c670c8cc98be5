//! How many of a thing a community has: a bound that holds however many are made at once.

use guildhall_data::{CommunityId, Tenant, failed};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, ExprTrait, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};

/// How many of each a community may have (contract: events, "Management").
pub const MAX: i32 = 50;

/// How many of one thing a community has.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quotas")]
pub struct Model {
    /// The community.
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    /// What is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: Resource,
    /// How many there are.
    pub used: i32,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Resource {
    /// Webhooks that are called from outside.
    #[sea_orm(num_value = 1)]
    IncomingWebhook,
    /// Workflows.
    #[sea_orm(num_value = 2)]
    Workflow,
}

impl Resource {
    fn plural(self) -> &'static str {
        match self {
            Self::IncomingWebhook => "incoming webhooks",
            Self::Workflow => "workflows",
        }
    }
}

/// Its relations: none, rows stand alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenant for Entity {
    const COMMUNITY: Column = Column::CommunityId;
}

/// Counts one more, in one statement; the row stays locked until the transaction ends.
///
/// # Errors
/// INVALID_VALUE when there are as many as there may be: roll back.
pub async fn take(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    resource: Resource,
) -> Result<()> {
    let row = ActiveModel {
        community_id: Set(community),
        resource: Set(resource),
        used: Set(1),
    };
    let one_more = OnConflict::columns([Column::CommunityId, Column::Resource])
        .value(Column::Used, Expr::col((Entity, Column::Used)).add(1))
        .to_owned();
    let counted = Entity::insert(row)
        .on_conflict(one_more)
        .exec_with_returning(transaction)
        .await
        .map_err(failed)?;
    if counted.used > MAX {
        let message = format!(
            "There are {MAX} {} already, delete one first",
            resource.plural()
        );
        return Err(Error::new(Reason::InvalidValue, message));
    }
    Ok(())
}

/// Counts one less, which was deleted in the same transaction.
///
/// # Errors
/// When the statement fails: roll back.
pub async fn give_back(
    transaction: &impl ConnectionTrait,
    community: CommunityId,
    resource: Resource,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Used, Expr::col(Column::Used).sub(1))
        .filter(Column::CommunityId.eq(community))
        .filter(Column::Resource.eq(resource))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// How many there are.
///
/// # Errors
/// When the query fails.
pub async fn used(
    connection: &impl ConnectionTrait,
    community: CommunityId,
    resource: Resource,
) -> Result<i32> {
    let used = Entity::within(community)
        .filter(Column::Resource.eq(resource))
        .select_only()
        .column(Column::Used)
        .into_tuple()
        .one(connection)
        .await
        .map_err(failed)?;
    Ok(used.unwrap_or(0))
}
