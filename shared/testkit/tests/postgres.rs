//! The real PostgreSQL, and what a test does to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a step that fails fails its test"
)]

use std::path::Path;

use guildhall_testkit::{Mode, Postgres, Proxy};
use sqlx::{Connection, PgConnection, PgPool, Row};

async fn show(pool: &PgPool, setting: &str) -> String {
    let shown = sqlx::query(sqlx::AssertSqlSafe(format!("SHOW {setting}")));
    shown.fetch_one(pool).await.unwrap().get(0)
}

#[tokio::test]
async fn a_commit_outlives_a_kill_and_a_stop() {
    let mut server = Postgres::start().await;
    let pool = server.pool("postgres");
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
    ] {
        assert_eq!(show(&pool, setting).await, value, "{setting}");
    }
    sqlx::query("CREATE TABLE marks (mark int)")
        .execute(&pool)
        .await
        .unwrap();
    for round in 0..3 {
        let insert = sqlx::query("INSERT INTO marks VALUES ($1)").bind(round);
        insert.execute(&pool).await.unwrap();
        let port = server.address();
        if round == 1 {
            server.stop().await;
        } else {
            server.kill9().await;
        }
        assert!(
            PgConnection::connect(&server.url("postgres"))
                .await
                .is_err()
        );
        server.start_again().await;
        assert_eq!(server.address(), port);
        let count = sqlx::query("SELECT count(*) FROM marks");
        let count: i64 = count
            .fetch_one(&server.pool("postgres"))
            .await
            .unwrap()
            .get(0);
        assert_eq!(count, i64::from(round) + 1);
    }
}

#[tokio::test]
async fn the_services_role_makes_databases_and_is_no_superuser() {
    let server = Postgres::start().await;
    let mut connection = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    sqlx::query("CREATE DATABASE guildhall_test")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = sqlx::query("CREATE ROLE another")
        .execute(&mut connection)
        .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("permission denied")
    );
    let wrong = server.url("postgres").replace("guildhall:", "guildhall:x");
    let refused = PgConnection::connect(&wrong).await.unwrap_err();
    assert!(refused.to_string().contains("password"), "{refused}");
    assert!(!format!("{server:?}").contains(wrong.split(['x', '@']).nth(1).unwrap()));
}

#[tokio::test]
async fn settings_can_be_weakened_and_a_proxy_stand_between() {
    let server = Postgres::start_with(&["fsync=off"]).await;
    let proxy = Proxy::start(server.address()).await;
    let url = server.url_through(proxy.address(), "postgres");
    let pool = PgPool::connect(&url).await.unwrap();
    assert_eq!(show(&pool, "fsync").await, "off");
    proxy.set(Mode::Refuse);
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn nothing_of_it_is_left() {
    let server = Postgres::start().await;
    let data = data_of(server.pid());
    assert!(Path::new(&data).is_dir());
    let pid = server.pid();
    drop(server);
    // It goes by itself; the test runner ends a test that waits for ever.
    while Path::new(&data).exists() || runs(pid) {
        tokio::task::yield_now().await;
    }
}

/// What follows `-D` in its command line.
fn data_of(pid: u32) -> String {
    let command = ps("command=", pid);
    let mut words = command.split_whitespace();
    words.find(|word| *word == "-D").unwrap();
    words.next().unwrap().to_owned()
}

fn runs(pid: u32) -> bool {
    let state = ps("state=", pid);
    !state.is_empty() && !state.starts_with('Z')
}

fn ps(column: &str, pid: u32) -> String {
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-o", column, "-p", &pid.to_string()]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}
