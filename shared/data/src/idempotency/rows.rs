//! The rows of tickets, on either database.

use guildhall_runtime::{Error, Reason, Result, Timestamp};
use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*};

use super::{entity, recorded_meanwhile};
use crate::{CommunityId, FileTransaction, Tenant, failed, unnest};

/// Inserts the row of a ticket; an expired row of the same key gives way.
pub(super) async fn record_one(
    transaction: &impl ConnectionTrait,
    row: entity::ActiveModel,
) -> Result<()> {
    let (community, credential, rpc, key) = scope_of(&row)?;
    entity::Entity::removing(community)
        .filter(entity::Column::Credential.eq(credential))
        .filter(entity::Column::Rpc.eq(rpc))
        .filter(entity::Column::Key.eq(key))
        .filter(entity::Column::ExpiresAt.lte(Timestamp::now().as_millis()))
        .exec(transaction)
        .await
        .map_err(failed)?;
    entity::Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(|error| taken(failed(error)))?;
    Ok(())
}

/// Inserts the rows of several tickets in a group commit on a file; expired rows of the same keys
/// give way.
///
/// # Errors
/// IDEMPOTENCY_IN_FLIGHT when one of the keys was recorded meanwhile: roll back.
pub fn record_in_file(
    transaction: &FileTransaction<'_>,
    rows: &[entity::ActiveModel],
) -> Result<()> {
    const EXPIRED: &str = "DELETE FROM idempotency_keys WHERE community_id = ?1 AND credential = ?2 \
                           AND rpc = ?3 AND key = ?4 AND expires_at <= ?5";
    let now = Timestamp::now().as_millis();
    for row in rows {
        let (community, credential, rpc, key) = scope_of(row)?;
        let scope = (community.to_string(), credential, rpc, key, now);
        transaction.execute(EXPIRED, scope)?;
    }
    transaction.insert::<entity::Entity>(rows).map_err(taken)
}

fn scope_of(row: &entity::ActiveModel) -> Result<(CommunityId, &str, &str, &str)> {
    match (&row.community_id, &row.credential, &row.rpc, &row.key) {
        (Set(community), Set(credential), Set(rpc), Set(key)) => {
            Ok((*community, credential, rpc, key))
        }
        _ => Err(Error::bug("an idempotency row without its key")),
    }
}

fn taken(error: Error) -> Error {
    if error.reason() == Reason::AlreadyExists {
        recorded_meanwhile()
    } else {
        error
    }
}

/// The twin of [`record_in_file`] as a part of a larger statement of PostgreSQL: what it affects are
/// the rows recorded, and when they are fewer than given, roll back with [`recorded_meanwhile`].
///
/// # Errors
/// A bug: see [`unnest::insert`].
pub fn record_unnested(
    rows: Vec<entity::ActiveModel>,
    arguments: &mut unnest::Arguments,
) -> Result<String> {
    let insert = unnest::insert::<entity::Entity>(rows, arguments)?;
    let now = arguments.push(Timestamp::now().as_millis());
    Ok(format!(
        "{insert} ON CONFLICT (community_id, credential, rpc, key) DO UPDATE SET request_hash = \
         EXCLUDED.request_hash, answer = EXCLUDED.answer, expires_at = EXCLUDED.expires_at WHERE \
         idempotency_keys.expires_at <= {now}"
    ))
}
