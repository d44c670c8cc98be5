//! The whole platform in one process, on PostgreSQL: alone, and two of them that hear of each other.

use std::{fs, time::Duration};

use guildhall_proto::messaging::v1::{
    WatchMessagesRequest, message_service_client::MessageServiceClient,
};
use guildhall_testkit::{Nats, Options, Platform, Postgres, grpc::signed, secret};
use guildhall_tests::{Community, key};
use tempfile::TempDir;
use tonic::Code;

/// A server and a secret, for any number of processes.
struct Server {
    postgres: Postgres,
    folder: TempDir,
}

impl Server {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        secret::write(&folder.path().join("secret.key"), &"5e".repeat(32));
        Self {
            postgres: Postgres::start().await,
            folder,
        }
    }

    fn secret_flags(&self) -> [String; 2] {
        let secret = self.folder.path().join("secret.key");
        ["--secret-key-file".to_owned(), secret.display().to_string()]
    }

    fn options(&self, demo: bool, nats: Option<&Nats>) -> Options {
        let nats = nats.map(|nats| ("GUILDHALL_NATS_URL", nats.url()));
        let database = ("GUILDHALL_DATABASE_URL", self.postgres.url("community"));
        Options {
            demo,
            args: self.secret_flags().into(),
            variables: [database].into_iter().chain(nats).collect(),
            ..Options::default()
        }
    }
}

#[tokio::test]
async fn what_is_sent_lies_in_postgresql_and_not_in_files() {
    let server = Server::new().await;
    let platform = Platform::start_with(server.options(true, None)).await;
    let community = Community::around(platform).await;
    let general = community.demo.channel("general").to_owned();
    let id = community.send(&general, "ada", "Hello").await;

    let messages = server.postgres.pool("community_messaging");
    let stored: (String,) = sqlx::query_as("SELECT text FROM messages WHERE id = $1")
        .bind(&id)
        .fetch_one(&messages)
        .await
        .unwrap();
    assert_eq!(stored.0, "Hello");
    let mut files = fs::read_dir(community.platform.data_dir()).unwrap();
    let database = files.find(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".db")
    });
    assert!(database.is_none(), "{database:?}");

    let platform = community.platform.embedded().kill_and_restart().await;
    let community = Community::around(platform).await;
    assert_eq!(community.messages(&general).await[0]["id"], id);
}

#[tokio::test]
async fn a_database_needs_a_secret_and_a_url_that_can_be_read() {
    let server = Server::new().await;
    let folder = server.folder.path();
    let platform = Platform::start().await;
    let [flag, file] = &server.secret_flags();
    let [url, community] = ["--database-url", "postgres://u:hunter2@db/community"];
    let cases: [(&[&str], &str); 4] = [
        (&[url, community], "--secret-key-file"),
        (&[url, "mysql://u:hunter2@db/x", flag, file], "postgres://"),
        (
            &[url, "postgres://u:hunter2@db/No-Such", flag, file],
            "lower-case",
        ),
        (&[url, community, flag, "/no/such/file"], "/no/such/file"),
    ];
    for (args, named) in cases {
        let output = platform.command_in(folder, args).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?}");
        assert!(said.contains(named), "{named} is not in: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn two_of_them_hear_of_each_other() {
    let (server, nats) = (Server::new().await, Nats::start().await);
    let first = Platform::start_with(server.options(true, Some(&nats))).await;
    let first = Community::around(first).await;
    let second = Platform::start_with(server.options(false, Some(&nats))).await;
    let general = first.demo.channel("general").to_owned();
    let key = first.keys().community(key::spec(&["getMessages"])).await;
    let there = guildhall_testkit::grpc::connect(second.grpc()).await;
    let mut messages = MessageServiceClient::new(there);
    let watch = || {
        let request = WatchMessagesRequest {
            channel: general.clone(),
            after_seq: None,
        };
        signed(request, &format!("Bearer {}", key.text))
    };
    // The second one may still be on its way to the broker.
    let mut stream = loop {
        match messages.watch_messages(watch()).await {
            Ok(stream) => break stream.into_inner(),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    first.send(&general, "ada", "From the first").await;
    let heard = tokio::time::timeout(Duration::from_secs(10), stream.message());
    let heard = heard.await.expect("in time").unwrap().unwrap();
    assert_eq!(heard.message.unwrap().text, "From the first");

    first.keys().revoke(&key).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.message()).await;
    let status = ended.expect("it ends in time").unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
}
