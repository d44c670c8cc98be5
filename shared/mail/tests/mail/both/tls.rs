//! E-mails over TLS, and who is let in.
//!
//! Whom a process trusts is said before it begins: each mailer here is a process of its own, this
//! binary once more.

use std::{env, path::Path};

use guildhall_mail::queue::Status;
use guildhall_testkit::{Smtp, smtp::Security};
use tokio::process::Command;

use crate::fixture::{Fixture, over};

const URL: &str = "GUILDHALL_TEST_SMTP_URL";

/// What became of an e-mail that another process sent to `url`, when it trusts `authority`.
async fn sent(url: &str, authority: Option<&Path>) -> String {
    let mut process = Command::new(env::current_exe().unwrap());
    process.args([
        "--exact",
        "both::tls::in_a_process_of_its_own",
        "--ignored",
        "--nocapture",
    ]);
    process.env(URL, url);
    process.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
    let output = process.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let outcome = said.lines().find_map(|line| line.split_once("outcome: "));
    outcome.unwrap_or_else(|| panic!("{output:?}")).1.to_owned()
}

#[tokio::test]
#[ignore = "the others run it"]
async fn in_a_process_of_its_own() {
    let fixture = Fixture::new().await;
    let url = env::var(URL).expect("the address of a server");
    let running = fixture.start(&over(Some(&url)), Path::new("unused"));
    fixture.queue(fixture.email("Privately")).await;
    running.mailer.wake();
    let row = fixture
        .last_when(|row| row.status != Status::Waiting || row.last_error.is_some())
        .await;
    println!(
        "outcome: {:?} {}",
        row.status,
        row.last_error.unwrap_or_default()
    );
}

async fn emails_go_privately(security: Security) {
    let mut server = Smtp::away(security).await;
    server.start_again().await;
    assert_eq!(sent(&server.url(), Some(server.ca())).await.trim(), "Sent");
    assert_eq!(server.emails().await[0].header("subject"), "Privately");

    let wrong_password = sent(&server.url_with("wrong"), Some(server.ca())).await;
    assert!(
        wrong_password.starts_with("Waiting not served"),
        "{wrong_password}"
    );
    let unknown_authority = sent(&server.url(), None).await;
    assert!(
        unknown_authority.starts_with("Waiting"),
        "{unknown_authority}"
    );
    assert!(
        unknown_authority.contains("certificate"),
        "{unknown_authority}"
    );
    assert_eq!(server.emails().await.len(), 1);
}

#[tokio::test]
async fn tls_from_the_start_keeps_emails_private() {
    emails_go_privately(Security::Tls).await;
}

#[tokio::test]
async fn starttls_keeps_emails_private() {
    emails_go_privately(Security::StartTls).await;
}

#[tokio::test]
async fn where_tls_is_required_and_not_offered_nothing_is_sent() {
    let server = Smtp::start().await;
    let required = format!("{}?tls=required", server.url());
    let outcome = sent(&required, Some(server.ca())).await;
    assert!(outcome.starts_with("Waiting not served"), "{outcome}");
    assert_eq!(server.emails().await.len(), 0);
}
