//! A quota holds however many are made at once.

use futures::future::join_all;
use guildhall_data::{CommunityId, Database, Limited, Resource, Tenant};
use guildhall_runtime::{Reason, Result};
use sea_orm::PaginatorTrait;

use crate::notes::{Entity, Model, fresh, note};

async fn make(database: Database, note: Model) -> Result<()> {
    let transaction = database.begin().await?;
    Entity::insert_one_more(&transaction, note.community_id, &note).await?;
    Database::commit(transaction).await
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_made_at_once_as_there_may_be() {
    let (_home, database) = fresh().await;
    let (full, other) = (CommunityId::generate(), CommunityId::generate());
    let notes = (0..20).map(|_| note(full, "one of many", 0));
    let made = notes.map(|note| tokio::spawn(make(database.clone(), note)));
    let mut refused = 0;
    for made in join_all(made).await {
        if let Err(error) = made.unwrap() {
            assert_eq!(error.reason(), Reason::WrongState);
            refused += 1;
        }
    }
    assert_eq!(refused, 15);
    let present = Entity::within(full).count(database.reader()).await;
    assert_eq!(present.unwrap(), 5);
    let elsewhere = make(database.clone(), note(other, "elsewhere", 0)).await;
    assert!(elsewhere.is_ok(), "each community has its own");

    let one = Entity::within(full).one(database.reader()).await.unwrap();
    let transaction = database.begin().await.unwrap();
    let removed = Entity::remove_one(&transaction, full, one.unwrap().id).await;
    removed.unwrap();
    Database::commit(transaction).await.unwrap();
    let again = make(database.clone(), note(full, "in its place", 0)).await;
    assert!(
        again.is_ok(),
        "one that was removed makes place for another"
    );
}
