//! What becomes of an e-mail, in fair weather and foul.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use guildhall_data::{Database, sweep};
use guildhall_mail::{
    NewMail, Text, queue,
    queue::{Column, Entity, Status},
};
use guildhall_testkit::{
    Smtp,
    smtp::{Email, Order, Security},
};

use crate::fixture::{Fixture, over};

/// Where no e-mail is written.
const NOWHERE: &str = "/nonexistent";

#[tokio::test]
async fn an_email_arrives_as_it_was_written() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    let text =
        "Liebe Ada,\n\n.\nthe webhook “Zürich” was disabled — 停用.\nFrom here on: nothing.\n";
    let email = NewMail {
        text: Text::parse(text).unwrap(),
        ..fixture.email("Your webhook “Zürich” was disabled ✉")
    };
    fixture.queue(email).await;
    running.mailer.wake();

    let email = server.arrived(1).await.remove(0);
    assert_eq!(
        email.header("subject"),
        "Your webhook “Zürich” was disabled ✉"
    );
    assert_eq!(email.header("to"), "ada@example.com");
    assert_eq!(
        email.header("from"),
        "Guildhall Zürich <guildhall@example.org>"
    );
    assert_eq!(email.header("auto-submitted"), "auto-generated");
    assert_eq!(email.text.replace("\r\n", "\n").trim_end(), text.trim_end());
    assert_eq!(email.envelope_from, "guildhall@example.org");
    assert_eq!(email.envelope_to, ["ada@example.com"]);
    assert_eq!(email.defects, 0);

    running.end().await;
    let row = fixture.rows().await.remove(0);
    assert_eq!((row.status, row.attempts), (Status::Sent, 1));
    assert_eq!(row.text, "", "what was sent is kept");
    let id = format!("<{}@example.org>", row.id);
    assert_eq!(email.header("message-id"), id);
}

#[tokio::test]
async fn an_email_that_nobody_told_of_is_found() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    let _running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    fixture.queue(fixture.email("Nobody woke the mailer")).await;
    server.arrived(1).await;
}

#[tokio::test]
async fn emails_wait_for_a_server_that_goes_away_and_comes_back() {
    let fixture = Fixture::new().await;
    let mut server = Smtp::away(Security::Plain).await;
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    for number in 1..=2 {
        fixture.queue(fixture.email("Patience")).await;
        running.mailer.wake();
        let waiting =
            |row: &queue::Model| row.last_error.is_some() && row.status == Status::Waiting;
        let waited = fixture.last_when(waiting).await;
        assert!(waited.last_error.unwrap().starts_with("unreachable"));
        server.start_again().await;
        server.arrived(number).await;
        if number == 1 {
            server.kill9().await;
        }
    }
    running.end().await;
    for row in fixture.rows().await {
        assert_eq!(row.status, Status::Sent);
        assert!(row.attempts > 1);
    }
    assert_eq!(server.emails().await.len(), 2, "one came twice");
}

#[tokio::test]
async fn an_email_that_is_put_off_is_tried_again_and_then_given_up() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    server.obey(Order::Refuse(451)).await;
    let running = fixture.start_impatient(&over(Some(&server.url())));
    fixture.queue(fixture.email("Later")).await;
    running.mailer.wake();
    let given_up = fixture.last_when(|row| row.status == Status::GivenUp).await;
    assert_eq!(server.refused(3).await, [451, 451, 451]);
    assert_eq!(given_up.attempts, 3);
    assert!(given_up.last_error.unwrap().starts_with("deferred"));

    server.obey(Order::Accept).await;
    fixture.queue(fixture.email("Now")).await;
    running.mailer.wake();
    assert_eq!(server.arrived(1).await[0].header("subject"), "Now");
    running.end().await;
    assert_eq!(server.emails().await.len(), 1, "what was given up came");
}

#[tokio::test]
async fn an_email_that_is_refused_is_given_up_at_once() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    server.obey(Order::Refuse(550)).await;
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    fixture.queue(fixture.email("Nobody lives here")).await;
    running.mailer.wake();
    server.refused(1).await;
    running.end().await;
    let row = fixture.rows().await.remove(0);
    assert_eq!((row.status, row.attempts), (Status::GivenUp, 1));
    assert_eq!((&*row.text, row.next_attempt_at), ("", None));
    assert!(row.last_error.unwrap().contains("550"));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    server.obey(Order::Silence).await;
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    fixture.queue(fixture.email("Hello?")).await;
    running.mailer.wake();
    server.refused(1).await;
    server.obey(Order::Accept).await;
    let row = fixture.last_when(|row| row.status == Status::Sent).await;
    assert_eq!(row.attempts, 2);
    assert!(row.last_error.unwrap().starts_with("timed out"));
    assert_eq!(server.emails().await.len(), 1);
}

#[tokio::test]
async fn mailers_of_several_processes_send_each_email_once() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    let subjects: BTreeSet<_> = (0..40).map(|number| format!("Email {number}")).collect();
    for subject in &subjects {
        fixture.queue(fixture.email(subject)).await;
    }
    let settings = over(Some(&server.url()));
    let one = fixture.start(&settings, Path::new(NOWHERE));
    let other = fixture.start_another(&settings).await;
    server.arrived(subjects.len()).await;
    one.end().await;
    other.end().await;

    let emails = server.emails().await;
    let arrived: BTreeSet<_> = emails
        .iter()
        .map(|it| it.header("subject").to_owned())
        .collect();
    assert_eq!(arrived, subjects);
    assert_eq!(emails.len(), subjects.len(), "some came twice");
    let rows = fixture.rows().await;
    assert!(
        rows.iter()
            .all(|row| row.status == Status::Sent && row.attempts == 1)
    );
}

#[tokio::test]
async fn an_email_goes_with_its_transaction() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    let transaction = fixture.database.begin().await.unwrap();
    queue(&transaction, fixture.email("It never happened"))
        .await
        .unwrap();
    running.mailer.wake();
    Database::roll_back(transaction).await.unwrap();
    fixture.queue(fixture.email("It happened")).await;
    running.mailer.wake();

    server.arrived(1).await;
    running.end().await;
    let emails = server.emails().await;
    assert_eq!(emails.len(), 1);
    assert_eq!(emails[0].header("subject"), "It happened");
}

#[tokio::test]
async fn without_a_server_emails_are_files_for_their_owner_alone() {
    let fixture = Fixture::new().await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("mail");
    let running = fixture.start(&over(None), &directory);
    fixture.queue(fixture.email("Grüße")).await;
    running.mailer.wake();
    let row = fixture.last_when(|row| row.status == Status::Sent).await;
    running.end().await;

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let file = directory.join(format!("{}.eml", row.id));
    assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    assert_eq!(directory.read_dir().unwrap().count(), 1);
    let email = Email::read(&file).await;
    assert_eq!(email.header("subject"), "Grüße");
    assert_eq!(email.header("to"), "ada@example.com");
    assert_eq!(email.text.trim_end(), "A webhook was disabled.");
    assert_eq!(email.defects, 0);
}

#[tokio::test]
async fn the_sweeper_takes_what_is_done_and_leaves_what_waits() {
    let (fixture, server) = (Fixture::new().await, Smtp::start().await);
    let running = fixture.start(&over(Some(&server.url())), Path::new(NOWHERE));
    fixture.queue(fixture.email("Done")).await;
    running.mailer.wake();
    server.arrived(1).await;
    running.end().await;
    fixture.queue(fixture.email("Waiting")).await;
    sweep::step::<Entity>(&fixture.database, Column::DoneAt, Duration::ZERO)
        .await
        .unwrap();
    let left = fixture.rows().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].subject, "Waiting");
}
