//! What is written for one community leaves all others as they were.

use guildhall_data::{CommunityId, Database, Resource, Tenant};
use guildhall_runtime::{Error, Reason, Result};
use sea_orm::sea_query::Expr;

use crate::notes::{Column, Entity, Model, fresh, insert, note};

/// Two communities with a note of the same id.
async fn two(database: &Database) -> (Model, Model) {
    let ours = note(CommunityId::generate(), "ours", 1);
    let theirs = Model {
        community_id: CommunityId::generate(),
        text: "theirs".into(),
        ..ours.clone()
    };
    insert(database, &[ours.clone(), theirs.clone()]).await;
    (ours, theirs)
}

async fn all(database: &Database, community: CommunityId) -> Vec<Model> {
    let notes = Entity::within(community).all(database.reader()).await;
    notes.unwrap()
}

#[tokio::test]
async fn a_second_row_with_the_same_key_is_refused_in_the_words_of_the_resource() {
    let (_home, database) = fresh().await;
    let (ours, _) = two(&database).await;
    let transaction = database.begin().await.unwrap();
    let again = Entity::insert_one(&transaction, &ours).await.unwrap_err();
    assert_eq!(again.reason(), Reason::AlreadyExists);
    assert_eq!(again.message(), "A note with this id exists already");
}

fn is_not_found<T: std::fmt::Debug>(outcome: Result<T>) {
    assert_eq!(outcome.unwrap_err().reason(), Reason::TopicNotFound);
}

#[tokio::test]
async fn changing_rows_of_a_community_never_touches_another() {
    let (_home, database) = fresh().await;
    let (ours, theirs) = two(&database).await;
    let transaction = database.begin().await.unwrap();
    let changed = Entity::changing(ours.community_id)
        .col_expr(Column::Text, Expr::val("changed"))
        .exec(&transaction)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected, 1);
    Database::commit(transaction).await.unwrap();
    assert_eq!(all(&database, ours.community_id).await[0].text, "changed");
    assert_eq!(all(&database, theirs.community_id).await, [theirs]);
}

#[tokio::test]
async fn updating_a_row_leaves_that_of_the_same_id_elsewhere() {
    let (_home, database) = fresh().await;
    let (ours, theirs) = two(&database).await;
    let changed = Model {
        text: "changed".into(),
        ..ours.clone()
    };
    let transaction = database.begin().await.unwrap();
    Entity::update_one(&transaction, &changed).await.unwrap();
    let nobodys = note(ours.community_id, "nobody's", 1);
    let missing: Result<(), Error> = Entity::update_one(&transaction, &nobodys).await;
    assert_eq!(missing.unwrap_err().reason(), Reason::Internal);
    Database::commit(transaction).await.unwrap();
    assert_eq!(all(&database, ours.community_id).await, [changed]);
    assert_eq!(all(&database, theirs.community_id).await, [theirs]);
}

#[tokio::test]
async fn removing_rows_of_a_community_never_touches_another() {
    let (_home, database) = fresh().await;
    let (ours, theirs) = two(&database).await;
    let transaction = database.begin().await.unwrap();
    let removed = Entity::removing(ours.community_id).exec(&transaction).await;
    assert_eq!(removed.unwrap().rows_affected, 1);
    Database::commit(transaction).await.unwrap();
    assert!(all(&database, ours.community_id).await.is_empty());
    assert_eq!(all(&database, theirs.community_id).await, [theirs]);
}

#[tokio::test]
async fn a_row_is_found_held_and_removed_in_its_community_alone() {
    let (_home, database) = fresh().await;
    let (ours, theirs) = two(&database).await;
    let (home, elsewhere) = (ours.community_id, CommunityId::generate());
    let reader = database.reader();
    assert_eq!(Entity::get(reader, home, ours.id).await.unwrap(), ours);
    let found = Entity::find_one(reader, elsewhere, ours.id).await;
    assert_eq!(found.unwrap(), None);
    is_not_found(Entity::get(reader, elsewhere, ours.id).await);

    let transaction = database.begin().await.unwrap();
    let held = Entity::hold(&transaction, home, ours.id).await;
    assert_eq!(held.unwrap(), ours);
    is_not_found(Entity::hold(&transaction, elsewhere, ours.id).await);
    is_not_found(Entity::remove_one(&transaction, elsewhere, ours.id).await);
    let removed = Entity::remove_one(&transaction, home, ours.id).await;
    removed.unwrap();
    is_not_found(Entity::remove_one(&transaction, home, ours.id).await);
    Database::commit(transaction).await.unwrap();
    assert_eq!(all(&database, theirs.community_id).await, [theirs]);
}
