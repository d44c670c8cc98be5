//! Processes of a cluster that do not fit: they say so and end, and the others go on.

use std::time::Duration;

use guildhall_catalog::{GATEWAY, IDENTITY, processes};
use guildhall_testkit::{Cluster, Plan, output, process_of, secret};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command, time::timeout};

/// How long a process that does not fit may take to say so.
const SOON: Duration = Duration::from_secs(20);

fn secret(folder: &TempDir) -> String {
    let file = folder.path().join("secret.key");
    secret::write(&file, &"5e".repeat(32));
    file.display().to_string()
}

#[tokio::test]
async fn who_has_another_secret_ends_at_once() {
    let cluster = Cluster::start_with(Plan {
        demo: false,
        ..Plan::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let secret = secret(&folder);
    let (nats, identity) = (cluster.nats.url(), cluster.identity_url());
    let database = cluster.postgres.url("guildhall");
    for kind in processes().filter(|kind| kind.peers.contains(&IDENTITY)) {
        let (binary, is_gateway) = (kind.binary(), kind == GATEWAY);
        let listens = if is_gateway { "--http" } else { "--grpc" };
        let peers = kind.peers.iter();
        let peers = peers.map(|peer| format!("--{}={identity}", peer.url_flag()));
        let peers: Vec<_> = peers.collect();
        let mut args = vec!["--secret-key-file", &secret];
        args.extend([listens, "127.0.0.1:0"]);
        args.extend(peers.iter().map(String::as_str));
        let mut process = process_of(&binary, &args);
        process.env("GUILDHALL_DATABASE_URL", &database);
        process.env("GUILDHALL_NATS_URL", &nats);
        let output = timeout(SOON, output(process));
        let output = output.await.expect("it ends by itself");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{binary}");
        assert!(said.contains("--secret-key-file"), "{binary}: {said}");
    }
}

#[tokio::test]
async fn a_start_before_a_silent_database_can_be_stopped() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://u:hunter2@{}/community",
        silent.local_addr().unwrap()
    );
    let folder = tempfile::tempdir().unwrap();
    let secret = secret(&folder);
    let args = [
        "--grpc",
        "127.0.0.1:0",
        "--nats-url",
        "nats://127.0.0.1:1",
        "--secret-key-file",
        &secret,
        "--database-url",
        &url,
    ];
    let mut command = process_of("guildhall-identity", &args);
    let child = command.spawn().unwrap();
    let (_held, _) = timeout(SOON, silent.accept()).await.unwrap().unwrap();
    let pid = child.id().unwrap().to_string();
    let mut kill = Command::new("kill");
    let told = kill.args(["-TERM", &pid]).status().await;
    assert!(told.unwrap().success());
    let output = timeout(SOON, child.wait_with_output()).await;
    let output = output.expect("it ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("stopped before it was ready"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn an_authority_without_a_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secret(&folder);
    let args = [
        "--grpc",
        "127.0.0.1:0",
        "--nats-url",
        "nats://127.0.0.1:1",
        "--secret-key-file",
        &secret,
        "--database-url",
        "postgres://u@127.0.0.1:1/community",
        "--tls-ca",
        &secret,
    ];
    let output = output(process_of("guildhall-identity", &args));
    let output = timeout(SOON, output).await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--tls-cert"), "{said}");
}
