//! The database, the idempotency table and the sweeper on a real SQLite file or PostgreSQL server.

use std::time::Duration;

use guildhall_data::{
    Claim, CommunityId, Database, Idempotency, IdempotencyKey, PostgresServer, Storage, Tenant,
    Ticket,
    idempotency::{Answer, entity},
    sweep,
};
use guildhall_proto::events::v1::ReactionAdded;
use guildhall_runtime::{Reason, Timestamp};
use guildhall_testkit::TestDatabase;
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait, QuerySelect};
use zeroize::Zeroizing;

use crate::fixture::{Migrator, row};

async fn open(home: &TestDatabase) -> Database {
    let storage = home.open(Storage::files, |url| {
        Storage::Postgres(PostgresServer::parse(url).unwrap())
    });
    Database::open::<Migrator>(&storage, "test").await.unwrap()
}

async fn fresh() -> (TestDatabase, Database) {
    let home = TestDatabase::new().await;
    let database = open(&home).await;
    (home, database)
}

async fn insert(database: &Database, row: entity::ActiveModel) {
    let transaction = database.begin().await.unwrap();
    entity::Entity::insert(row)
        .exec_without_returning(&transaction)
        .await
        .unwrap();
    Database::commit(transaction).await.unwrap();
}

#[tokio::test]
async fn several_processes_may_open_a_new_database_at_once() {
    let home = TestDatabase::new().await;
    let opened = futures::future::join_all((0..4).map(|_| open(&home))).await;
    let community = CommunityId::generate();
    for (number, database) in opened.iter().enumerate() {
        insert(database, row(community, &number.to_string(), 0)).await;
    }
    let seen = entity::Entity::within(community)
        .count(opened[0].reader())
        .await
        .unwrap();
    assert_eq!(seen, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_read_and_then_write_lose_nothing_to_each_other() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    insert(&database, row(community, "counter", 0)).await;
    let tasks = (0..16).map(|_| {
        let database = database.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                let transaction = database.begin().await.unwrap();
                // SQLite's writer is alone anyway; PostgreSQL has to be asked.
                let counter = entity::Entity::within(community)
                    .lock_exclusive()
                    .one(&transaction)
                    .await
                    .unwrap()
                    .unwrap();
                let mut next: entity::ActiveModel = counter.clone().into();
                next.expires_at = Set(counter.expires_at + 1);
                let updated = entity::Entity::update_columns(&transaction, next);
                updated.await.unwrap();
                Database::commit(transaction).await.unwrap();
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    let counter = entity::Entity::within(community)
        .one(database.reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(counter.expires_at, 480);
}

/// How long a `dedup_id` is kept.
const KEPT: Duration = Duration::from_secs(600);

fn key(community: CommunityId, credential: &str, key: &str) -> IdempotencyKey {
    IdempotencyKey {
        name: "Idempotency-Key",
        community,
        credential: credential.into(),
        key: key.into(),
        seal_secret: Zeroizing::new(credential.as_bytes().to_vec()),
    }
}

fn message(text: &str) -> ReactionAdded {
    ReactionAdded {
        emoji: text.into(),
        ..Default::default()
    }
}

async fn record(database: &Database, ticket: Ticket, answer: &ReactionAdded) {
    let transaction = database.begin().await.unwrap();
    ticket.record(&transaction, answer).await.unwrap();
    Database::commit(transaction).await.unwrap();
}

#[tokio::test]
async fn the_first_answer_comes_again_and_another_request_is_refused() {
    let (_home, database) = fresh().await;
    let keys = Idempotency::new(database.clone());
    let community = CommunityId::generate();
    let claim = async |by: &str, request: &str| {
        let key = Some(key(community, by, "k"));
        keys.claim::<_, ReactionAdded>(key, "/rpc", &message(request), Answer::Secret)
            .await
    };

    let Claim::First(ticket) = claim("ann", "request").await.unwrap() else {
        panic!("nobody used the key before");
    };
    let running = claim("ann", "request").await.unwrap_err();
    assert_eq!(running.reason(), Reason::IdempotencyInFlight);
    record(&database, ticket, &message("answer")).await;

    let Claim::Replay(answer) = claim("ann", "request").await.unwrap() else {
        panic!("the key was used");
    };
    assert_eq!(answer, message("answer"));
    let other = claim("ann", "another request").await.unwrap_err();
    assert_eq!(other.reason(), Reason::IdempotencyMismatch);
    assert!(
        matches!(claim("bob", "request").await.unwrap(), Claim::First(_)),
        "a key belongs to its credential"
    );

    let stored = entity::Entity::within(community)
        .one(database.reader())
        .await
        .unwrap()
        .unwrap();
    let readable = stored.answer.windows(6).any(|window| window == b"answer");
    assert!(!readable, "an answer that holds a secret is sealed");
}

#[tokio::test]
async fn a_failed_first_leaves_the_key_free_and_an_expired_one_gives_way() {
    let (_home, database) = fresh().await;
    let keys = Idempotency::new(database.clone());
    let community = CommunityId::generate();
    let claim = async || {
        let key = key(community, "credential", "k");
        let request = message("request");
        keys.claim_also::<_, ReactionAdded>(Ticket::none(), key, "/rpc", &request, KEPT)
            .await
            .unwrap()
    };
    let Claim::First(ticket) = claim().await else {
        panic!("the key is new")
    };
    drop(ticket);
    let Claim::First(ticket) = claim().await else {
        panic!("nothing was recorded")
    };
    drop(ticket);

    insert(
        &database,
        row(community, "k", Timestamp::now().as_millis() - 1),
    )
    .await;
    let Claim::First(ticket) = claim().await else {
        panic!("the row has expired")
    };
    record(&database, ticket, &message("again")).await;
    assert!(matches!(claim().await, Claim::Replay(answer) if answer == message("again")));
}

#[tokio::test]
async fn two_processes_cannot_both_be_first() {
    let (home, database) = fresh().await;
    let other = open(&home).await;
    let community = CommunityId::generate();
    let mut tickets = Vec::new();
    for database in [&database, &other] {
        let keys = Idempotency::new(database.clone());
        let request = message("request");
        let key = key(community, "credential", "k");
        let claim = keys.claim_also(Ticket::none(), key, "/rpc", &request, KEPT);
        let claim: Claim<ReactionAdded> = claim.await.unwrap();
        let Claim::First(ticket) = claim else {
            panic!("nothing is recorded yet")
        };
        tickets.push(ticket);
    }
    record(&database, tickets.remove(0), &message("first")).await;
    let transaction = other.begin().await.unwrap();
    let refused = tickets[0]
        .record(&transaction, &message("second"))
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::IdempotencyInFlight);
}

#[tokio::test]
async fn a_nul_in_a_query_is_no_failure_of_ours() {
    use sea_orm::{ColumnTrait as _, QueryFilter as _};
    let (_home, database) = fresh().await;
    let nobody =
        entity::Entity::within(CommunityId::generate()).filter(entity::Column::Key.eq("a\0"));
    let found = nobody.one(database.reader()).await;
    match found.map_err(guildhall_data::failed) {
        Ok(found) => assert_eq!(found, None, "SQLite takes it for a text"),
        Err(refused) => assert_eq!(refused.reason(), Reason::InvalidValue),
    }
}

/// A call with a fresh key `k` and the `dedup_id` d, which other calls may have had.
async fn claim_both(
    keys: &Idempotency,
    community: CommunityId,
    k: &str,
    request: &str,
) -> guildhall_runtime::Result<Claim<ReactionAdded>> {
    let request = message(request);
    let first = Some(key(community, "credential", k));
    let first = keys.claim(first, "/rpc", &request, Answer::Plain).await?;
    let Claim::First(ticket) = first else {
        return Ok(first);
    };
    let dedup_id = IdempotencyKey {
        name: "dedup_id",
        ..key(community, "credential", "d")
    };
    keys.claim_also(ticket, dedup_id, "/ids", &request, KEPT)
        .await
}

#[tokio::test]
async fn two_keys_of_a_call_guard_it_at_once() {
    let (_home, database) = fresh().await;
    let keys = Idempotency::new(database.clone());
    let community = CommunityId::generate();
    let claim = async |k: &str, request: &str| claim_both(&keys, community, k, request).await;
    let Claim::First(ticket) = claim("one", "request").await.unwrap() else {
        panic!("both are new")
    };
    let running = claim("two", "request").await.unwrap_err();
    assert_eq!(running.reason(), Reason::IdempotencyInFlight);
    assert_eq!(running.violations()[0].field, "dedup_id");
    record(&database, ticket, &message("answer")).await;

    let count = async || {
        entity::Entity::within(community)
            .count(database.reader())
            .await
            .unwrap()
    };
    assert_eq!(count().await, 2);
    let is_replay = |claim| matches!(claim, Claim::Replay(first) if first == message("answer"));
    assert!(is_replay(claim("one", "request").await.unwrap()));
    assert_eq!(count().await, 2);
    assert!(is_replay(claim("two", "request").await.unwrap()));
    assert_eq!(count().await, 3, "the fresh key has the first answer now");
    let refused = async |k: &str, field: &str| {
        let refused = claim(k, "another request").await.unwrap_err();
        assert_eq!(refused.reason(), Reason::IdempotencyMismatch);
        assert_eq!(refused.violations()[0].field, field);
        assert!(refused.message().contains(field), "{refused}");
    };
    refused("two", "Idempotency-Key").await;
    refused("three", "dedup_id").await;
    assert_eq!(count().await, 3, "what is refused takes no key");
}

#[tokio::test]
async fn the_sweeper_takes_what_has_expired_in_bounded_steps() {
    let (_home, database) = fresh().await;
    let community = CommunityId::generate();
    let now = Timestamp::now().as_millis();
    let transaction = database.begin().await.unwrap();
    let rows = (0..1200).map(|n| row(community, &n.to_string(), now - 10_000 + n));
    let kept = row(community, "kept", now + 60_000);
    let rows = rows.chain([kept]);
    entity::Entity::insert_many(rows)
        .exec_without_returning(&transaction)
        .await
        .unwrap();
    Database::commit(transaction).await.unwrap();

    let left = async || {
        entity::Entity::within(community)
            .count(database.reader())
            .await
            .unwrap()
    };
    let step = async || {
        sweep::step::<entity::Entity>(&database, entity::Column::ExpiresAt, Duration::ZERO).await
    };
    assert!(step().await.unwrap());
    assert_eq!(left().await, 701);
    assert!(step().await.unwrap());
    assert!(!step().await.unwrap());
    assert_eq!(left().await, 1);
}
