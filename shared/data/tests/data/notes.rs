//! A table of notes: what a community keeps, as services define it.

use guildhall_data::{
    CommunityId, Database, Limited, PostgresServer, Quota, Storage, Tenant, TopicId,
    quota::migration::CreateQuotas, resource,
};
use guildhall_runtime::Reason;
use guildhall_testkit::TestDatabase;
use sea_orm::entity::prelude::*;
use sea_orm_migration::{prelude::*, schema::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub community_id: CommunityId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TopicId,
    pub text: String,
    pub created_at: i64,
}

resource! {
    id: TopicId,
    not_found: (Reason::TopicNotFound, "Note not found"),
    taken: "A note with this id exists already",
}

impl Limited for Entity {
    const QUOTA: Quota = Quota {
        resource: 1,
        max: 5,
        name: "notes",
        reason: Reason::WrongState,
    };
}

pub struct Notes;

impl MigratorTrait for Notes {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNotes), Box::new(CreateQuotas)]
    }
}

pub struct CreateNotes;

impl MigrationName for CreateNotes {
    fn name(&self) -> &str {
        "m0001_create_notes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateNotes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("notes")
            .col(string_len("community_id", 24))
            .col(string_len("id", 24))
            .col(text("text"))
            .col(big_integer("created_at"))
            .primary_key(Index::create().col("community_id").col("id"))
            .to_owned();
        manager.create_table(table).await
    }
}

/// A new database with the table.
pub async fn fresh() -> (TestDatabase, Database) {
    let home = TestDatabase::new().await;
    let storage = home.open(Storage::files, |url| {
        Storage::Postgres(PostgresServer::parse(url).unwrap())
    });
    let database = Database::open::<Notes>(&storage, "notes").await.unwrap();
    (home, database)
}

pub fn note(community: CommunityId, text: &str, created_at: i64) -> Model {
    Model {
        community_id: community,
        id: TopicId::generate(),
        text: text.into(),
        created_at,
    }
}

pub async fn insert(database: &Database, notes: &[Model]) {
    let transaction = database.begin().await.unwrap();
    for note in notes {
        Entity::insert_one(&transaction, note).await.unwrap();
    }
    Database::commit(transaction).await.unwrap();
}
