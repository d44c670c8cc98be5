use guildhall_data::{PostgresServer, Storage};
use guildhall_testkit::TestDatabase;
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::*;
use crate::{failure::Kind, migration::CreateMails};

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateMails)]
    }
}

/// A claim that nobody outlives, and one that ends as it begins.
const LONG: Duration = Duration::from_secs(600);
const NONE: Duration = Duration::ZERO;

async fn database_with(emails: usize) -> (TestDatabase, Database, CommunityId) {
    let home = TestDatabase::new().await;
    let storage = home.open(Storage::files, |url| {
        Storage::Postgres(PostgresServer::parse(url).unwrap())
    });
    let database = Database::open::<Migrator>(&storage, "mail").await.unwrap();
    let community = CommunityId::generate();
    let transaction = database.begin().await.unwrap();
    for _ in 0..emails {
        let mail = NewMail {
            community,
            to: Recipient::parse("ada@example.com").unwrap(),
            subject: Subject::parse("Hello").unwrap(),
            text: Text::parse("Hello").unwrap(),
        };
        queue(&transaction, mail).await.unwrap();
    }
    Database::commit(transaction).await.unwrap();
    (home, database, community)
}

async fn row(database: &Database, community: CommunityId) -> Model {
    let row = Entity::within(community).one(database.reader()).await;
    row.unwrap().unwrap()
}

fn deferred() -> Failure {
    Failure::new(Kind::Deferred, &"later")
}

#[tokio::test]
async fn a_claimed_email_is_nobody_elses_until_the_claim_ends() {
    let (_home, database, _) = database_with(3).await;
    let first = claim(&database, LONG, 2).await.unwrap();
    let second = claim(&database, LONG, 2).await.unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(claim(&database, LONG, 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_who_see_the_same_emails_share_them() {
    let (_home, database, _) = database_with(20).await;
    let (one, other) = tokio::join!(claim(&database, LONG, 20), claim(&database, LONG, 20));
    let mut claimed: Vec<_> = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(claimed.len(), 20);
    claimed.sort_by_key(|mail| mail.id);
    claimed.dedup_by_key(|mail| mail.id);
    assert_eq!(claimed.len(), 20);
}

#[tokio::test]
async fn who_lost_their_claim_can_only_say_that_it_was_sent() {
    let (_home, database, community) = database_with(1).await;
    let late = claim(&database, NONE, 1).await.unwrap().remove(0);
    let current = claim(&database, LONG, 1).await.unwrap().remove(0);
    assert_eq!((late.attempts, current.attempts), (1, 2));

    for outcome in [
        Outcome::GivenUp(deferred()),
        Outcome::Retry(Timestamp::now(), deferred()),
    ] {
        settle(&database, &late, &outcome).await.unwrap();
        assert_eq!(row(&database, community).await, current, "{outcome:?}");
    }
    settle(&database, &late, &Outcome::Sent).await.unwrap();
    settle(&database, &current, &Outcome::GivenUp(deferred()))
        .await
        .unwrap();
    let row = row(&database, community).await;
    assert_eq!(
        (row.status, row.next_attempt_at, &*row.text),
        (Status::Sent, None, "")
    );
}

#[tokio::test]
async fn an_email_is_due_again_when_it_was_said_to_be() {
    let (_home, database, community) = database_with(1).await;
    let mail = claim(&database, LONG, 1).await.unwrap().remove(0);
    let later = Timestamp::now().plus(LONG);
    settle(&database, &mail, &Outcome::Retry(later, deferred()))
        .await
        .unwrap();
    let waiting = row(&database, community).await;
    assert_eq!(waiting.next_attempt_at, Some(later.as_millis()));
    assert_eq!(waiting.last_error.as_deref(), Some("deferred: later"));
    assert_eq!((waiting.status, &*waiting.text), (Status::Waiting, "Hello"));
    assert!(claim(&database, LONG, 1).await.unwrap().is_empty());
}
