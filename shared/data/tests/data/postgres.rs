//! What a connection to a PostgreSQL server insists on.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use guildhall_data::{Database, PostgresServer, Storage};
use guildhall_runtime::Result;
use guildhall_testkit::{Postgres, cluster::Certificates};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

use crate::fixture::Migrator;

async fn open(url: &str) -> Result<Database> {
    let server = PostgresServer::parse(url).unwrap();
    Database::open::<Migrator>(&Storage::Postgres(server), "data").await
}

async fn refusal(url: &str) -> String {
    open(url).await.unwrap_err().with_causes()
}

#[tokio::test]
async fn nobody_leads_it_to_other_tables() {
    let postgres = Postgres::start().await;
    let url = postgres.url("test");
    drop(open(&url).await.unwrap());
    let pool = postgres.pool("test_data");
    for statement in [
        "CREATE SCHEMA elsewhere",
        "ALTER DATABASE test_data SET search_path = elsewhere, public",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let database = open(&url).await.unwrap();
    let shown = Statement::from_string(DbBackend::Postgres, "SHOW search_path");
    let batch = database.begin_batch().await.unwrap();
    let writer = database.begin().await.unwrap();
    let (reader, shown) = (database.reader(), || shown.clone());
    for row in [
        reader.query_one_raw(shown()).await,
        writer.query_one_raw(shown()).await,
        batch.query_one_raw(shown()).await,
    ] {
        let path: String = row.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert_eq!(path.replace(' ', ""), "public,pg_temp");
    }
}

#[tokio::test]
async fn tables_in_another_schema_are_not_made_a_second_time() {
    let postgres = Postgres::start().await;
    drop(open(&postgres.url("test")).await.unwrap());
    let pool = postgres.pool("test_data");
    for statement in [
        "CREATE SCHEMA chess",
        "ALTER TABLE seaql_migrations SET SCHEMA chess",
        "ALTER TABLE idempotency_keys SET SCHEMA chess",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let grant = "DO $$ DECLARE owner name := (SELECT tableowner FROM pg_tables WHERE tablename = \
                 'seaql_migrations'); BEGIN EXECUTE format('ALTER SCHEMA chess OWNER TO %I', owner); END $$";
    sqlx::query(grant).execute(&pool).await.unwrap();
    let refused = refusal(&postgres.url("test")).await;
    assert!(refused.contains("schema=chess"), "{refused}");
    open(&format!("{}?schema=chess", postgres.url("test")))
        .await
        .unwrap();
}

#[tokio::test]
async fn without_tls_where_it_is_required_it_says_what_to_do() {
    let postgres = Postgres::start().await;
    for mode in ["require", "verify-full"] {
        let refused = refusal(&format!("{}?sslmode={mode}", postgres.url("test"))).await;
        assert!(refused.contains("sslmode=disable"), "{refused}");
        assert!(refused.contains("sslrootcert=FILE"), "{refused}");
    }
}

/// Starts the server anew with a certificate of an authority of its own.
async fn speak_tls(postgres: &mut Postgres, folder: &Path) -> Certificates {
    let certificates = Certificates::issue(folder);
    // It runs as somebody else where the tests run as root.
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    let process = fs::metadata(format!("/proc/{}", postgres.pid())).unwrap();
    chown(&certificates.key, Some(process.uid()), None).unwrap();
    postgres.stop().await;
    let file = |name: &str, path: &Path| format!("{name}={}", path.display());
    postgres.set(&[
        "ssl=on",
        &file("ssl_cert_file", &certificates.cert),
        &file("ssl_key_file", &certificates.key),
    ]);
    postgres.start_again().await;
    certificates
}

#[tokio::test]
async fn a_server_proves_who_it_is_with_a_certificate_of_the_named_authority() {
    let mut postgres = Postgres::start().await;
    let folder = TempDir::new().unwrap();
    let certificates = speak_tls(&mut postgres, folder.path()).await;
    let url = format!("{}?sslmode=verify-full", postgres.url("test"));
    let refused = refusal(&url).await;
    assert!(refused.contains("sslrootcert=FILE"), "{refused}");
    let trusting = format!("{url}&sslrootcert={}", certificates.ca.display());
    open(&trusting).await.unwrap();
}
