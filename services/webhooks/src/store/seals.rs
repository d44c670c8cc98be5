//! Secrets that were sealed before a sealed value was bound to its place: sealed anew, once.

use guildhall_data::{
    CommunityId, Database, Tenant, Transaction, WebhookId, failed,
    seal::{Place, Sealer, upgrade::Upgrade},
};
use guildhall_runtime::Result;
use sea_orm::{Condition, QueryOrder, QuerySelect, Select, entity::prelude::*};

use super::{
    incoming,
    outgoing::{self, SealedColumn},
};

/// Webhooks that are read at once.
const STEP: u64 = 500;

/// Seals all secrets of webhooks for their places, unless that is done. One that does not open
/// stays as it is: its webhook is parked when it is used.
///
/// # Errors
/// When the database fails: nothing is changed.
pub async fn seal_anew(database: &Database, sealer: &Sealer) -> Result<()> {
    let Some(upgrade) = Upgrade::begin(database, "places").await? else {
        return Ok(());
    };
    outgoing_webhooks(upgrade.transaction(), sealer).await?;
    incoming_webhooks(upgrade.transaction(), sealer).await?;
    upgrade.finish().await
}

/// The webhook with which the last step ended.
type Last = Option<(CommunityId, WebhookId)>;

async fn outgoing_webhooks(transaction: &Transaction, sealer: &Sealer) -> Result<()> {
    use outgoing::{Column, Entity};
    let mut last = Last::None;
    loop {
        let found = after::<Entity>(last, Column::CommunityId, Column::Id);
        let found = found.all(transaction).await.map_err(failed)?;
        for before in &found {
            let mut webhook = before.clone();
            let place = |column| before.place(column);
            replace(&mut webhook.secret, sealer, &place(SealedColumn::Secret));
            for old in &mut webhook.old_secrets.0 {
                replace(&mut old.sealed, sealer, &place(SealedColumn::OldSecrets));
            }
            if let Some(key) = &mut webhook.api_key {
                replace(key, sealer, &place(SealedColumn::ApiKey));
            }
            if let Some(key) = &mut webhook.encryption_key {
                replace(key, sealer, &place(SealedColumn::EncryptionKey));
            }
            if webhook != *before {
                Entity::update_one(transaction, &webhook).await?;
            }
        }
        if (found.len() as u64) < STEP {
            return Ok(());
        }
        last = found.last().map(|it| (it.community_id, it.id));
    }
}

async fn incoming_webhooks(transaction: &Transaction, sealer: &Sealer) -> Result<()> {
    use incoming::{Column, Entity};
    let mut last = Last::None;
    loop {
        let found = after::<Entity>(last, Column::CommunityId, Column::Id);
        let found = found.all(transaction).await.map_err(failed)?;
        for before in &found {
            let mut webhook = before.clone();
            if let Some(key) = &mut webhook.encryption_key {
                replace(key, sealer, &before.key_place());
            }
            if webhook != *before {
                incoming::update(transaction, &webhook).await?;
            }
        }
        if (found.len() as u64) < STEP {
            return Ok(());
        }
        last = found.last().map(|it| (it.community_id, it.id));
    }
}

/// The webhooks that follow one in the order of their key.
#[expect(
    clippy::disallowed_methods,
    reason = "the secrets of all communities are sealed anew"
)]
fn after<E: Tenant>(last: Last, community: E::Column, id: E::Column) -> Select<E> {
    let query = E::find().order_by_asc(community).order_by_asc(id);
    let query = match last {
        None => query,
        Some((of, then)) => query.filter(
            Condition::any()
                .add(community.gt(of))
                .add(Condition::all().add(community.eq(of)).add(id.gt(then))),
        ),
    };
    query.limit(STEP)
}

fn replace(sealed: &mut Vec<u8>, sealer: &Sealer, place: &Place) {
    match sealer.seal_anew(sealed, place) {
        Ok(Some(anew)) => *sealed = anew,
        Ok(None) => {}
        Err(error) => tracing::error!(?place, ?error, "a sealed value cannot be sealed anew"),
    }
}
